export type ConsumerFaultCode =
  | 'handler_failed'
  | 'handler_hangs'
  | 'place_not_stored'
  | 'version_not_readable'
  | 'no_inbox'
  | 'two_handlers'
  | 'no_handler'
  | 'handler_option_unfit'
  | 'no_dead_letters'
  | 'letter_refused'
  | 'source_ended'
  | 'refused'
  | 'no_stream'
  | 'events_missing'
  | 'places_unreadable'
  | 'stopped';

/** Why a consumer cannot go on, or cannot start: one line with the remedy. */
export class ConsumerFault extends Error {
  readonly code: ConsumerFaultCode;

  constructor(code: ConsumerFaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConsumerFault';
    this.code = code;
  }
}

/** The first line of what was thrown. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split('\n', 1)[0]!.slice(0, 500);
}

/** What helps against this status of the hub, whatever was asked. */
export const remedyOf = (status: number | undefined): string | undefined =>
  status === 401 ? 'Give the app a valid key' : undefined;
