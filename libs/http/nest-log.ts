import type { LoggerService } from '@nestjs/common';
import { innermostMessage } from '#faults';
import type { Logger } from './types.js';

/**
 * Nest's own errors, for example of a shutdown hook, as entries of the process's log. Lines below an error are dropped, and so is everything before
 * `to` is set: what fails while the app starts is thrown to the caller of openHttp, who reports it once.
 */
export class NestLog implements LoggerService {
  to: Pick<Logger, 'error'> | undefined;

  error(message: unknown): void {
    this.to?.error({ cause: innermostMessage(message) }, 'error inside Nest');
  }

  fatal(message: unknown): void {
    this.error(message);
  }

  log(): void {}

  warn(): void {}
}
