import { blameOf, Fault, FAULTS, innermostMessage } from '#faults';
import { MAX_RECORD_BYTES, type AppendOutcome } from '#log';
import type { ItemOutcome } from './item.js';
import { texts } from './texts.js';

type NotAccepted = Exclude<AppendOutcome, { kind: 'accepted' }>;

/** How long a publisher waits before it sends again what only an operator can mend. */
const OPERATOR_MS = 30_000;

/** A refusal that one record of the append has caused: sent without it, the others may be accepted. */
export const isAboutARecord = (outcome: AppendOutcome | undefined): boolean =>
  outcome?.kind === 'refused' && (outcome.code === 'record_too_large' || outcome.code === 'invalid_record');

/**
 * The event is not accepted now, and sending it again is safe. Only a refusal that its own record caused (`alone`) is the fault of the request: of several
 * records another one may be guilty (R3.9). What the hub is to blame for has the code of the log.
 */
export function notAccepted(outcome: NotAccepted, alone: boolean): ItemOutcome {
  const { kind, cause } = outcome;
  if (kind === 'uncertain')
    return {
      kind,
      fault: new Fault('not_durable', {
        detail: 'it is not known whether the event was written',
        retryAfterMs: 2_000,
        cause,
      }),
    };
  if (isAboutARecord(outcome)) {
    if (alone) return { kind, fault: recordFault(outcome) };
    return { kind, fault: new Fault('not_durable', { detail: NOT_WRITTEN, retryAfterMs: 1_000, cause }) };
  }
  if (FAULTS[outcome.code].class === 'unavailable')
    return { kind, fault: new Fault(outcome.code, { detail: NOT_WRITTEN, retryAfterMs: 1_000, cause }) };
  return {
    kind,
    fault: new Fault(outcome.code, {
      detail: NOT_WRITTEN,
      problems: [{ pointer: '', reason: texts.not_written_operator(), code: outcome.code }],
      retryAfterMs: OPERATOR_MS,
      cause,
    }),
  };
}

const NOT_WRITTEN = 'the event was surely not written by this request';

/** Whether only an operator can make the log take the event. */
export const needsOperator = (fault: Fault): boolean =>
  blameOf(fault.code) === 'hub' && (fault.row.class !== 'unavailable' || fault.code === 'disk_full');

/** The event is larger than its topic takes. `limit`: as AppendOutcome. */
export function tooLarge(limit: number, cause?: unknown): Fault {
  return new Fault('record_too_large', {
    limit,
    problems: [
      {
        pointer: '',
        reason: texts.too_large_for_log(),
        expected: texts.at_most_bytes_as_record({ most: limit }),
        code: 'record_too_large',
      },
    ],
    cause,
  });
}

function recordFault({ code, cause, limit }: NotAccepted & { readonly kind: 'refused' }): Fault {
  if (code === 'record_too_large') return tooLarge(limit ?? MAX_RECORD_BYTES, cause);
  return new Fault(code, { detail: innermostMessage(cause), cause });
}
