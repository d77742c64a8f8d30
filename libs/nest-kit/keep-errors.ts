import { Catch, type ArgumentsHost, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';

/**
 * Without it Nest turns every error of a handler into `Internal server error`, and the source no longer sees what happened.
 * Provide it as APP_FILTER and connect with `{ inheritAppConfig: true }`.
 */
@Catch()
export class KeepErrors implements RpcExceptionFilter<unknown> {
  catch(cause: unknown, host: ArgumentsHost): Observable<never> {
    if (host.getType() !== 'rpc') throw cause;
    return throwError(() => cause);
  }
}
