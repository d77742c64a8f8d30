import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';

/** Part of OnEvent. Without it Nest replaces every error of a handler by `Internal server error`, and the EventSource cannot see what failed. */
@Catch()
export class KeepErrors implements RpcExceptionFilter<unknown> {
  catch(cause: unknown): Observable<never> {
    return throwError(() => cause);
  }
}
