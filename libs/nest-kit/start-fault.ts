import { inspect } from 'node:util';

export type StartFaultCode =
  | 'no_url'
  | 'no_key'
  | 'no_module'
  | 'two_modules'
  | 'no_token'
  | 'two_types'
  | 'no_source'
  | 'no_answer'
  | 'key_refused'
  | 'unknown_type'
  | 'two_handlers'
  | 'no_handler'
  | 'handler_option_unfit'
  | 'subscription_changed'
  | 'subscription_refused'
  | 'events_missing'
  | 'scoped_handler'
  | 'letters_refused'
  | 'no_http'
  | 'no_secret'
  | 'no_path';

/** Why an app cannot start: one line with the remedy, and no stack, because the reason is not in the code of Nest. */
export class StartFault extends Error {
  readonly code: StartFaultCode;

  constructor(code: StartFaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SimpulStartFault';
    this.code = code;
    this.stack = `${this.name}: ${message}`;
  }

  /** Nest and Node print an error with everything in it: the cause is for programs, the person needs the line. */
  [inspect.custom](): string {
    return this.stack!;
  }
}
