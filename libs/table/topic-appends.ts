import { Coalescer } from '#concurrency';
import {
  bytesOf,
  MAX_APPEND_BYTES,
  MAX_APPEND_RECORDS,
  sealed,
  type AppendOutcome,
  type EventLog,
  type NewRecord,
} from '#log';

/** The share of one append that these records use (R3.4); 1 = a full append. Their seals take up what a full append leaves free. */
function shareOf(records: readonly NewRecord[]): number {
  const bytes = records.reduce((sum, r) => sum + bytesOf(r), 0);
  return Math.max(records.length / MAX_APPEND_RECORDS, bytes / MAX_APPEND_BYTES);
}

/**
 * Appends without a transaction to one partition of a topic. One append is in flight; callers that arrive meanwhile share the next one (coalesced), in the
 * order of their calls. The records of one caller are written in one append: all or none. Never throws for I/O.
 */
export class TopicAppends {
  readonly #coalescer: Coalescer<readonly NewRecord[], AppendOutcome>;

  constructor(log: Pick<EventLog, 'append'>, topic: string, partition = 0) {
    this.#coalescer = new Coalescer({
      max: 1,
      sizeOf: shareOf,
      run: async (callers) => {
        // The port promises never to throw. If an adapter does so, callers must not wait for ever, and it is unknown whether the records were written.
        const outcome = await log
          .append(topic, partition, callers.flat().map(sealed))
          .catch((cause: unknown): AppendOutcome => ({ kind: 'uncertain', cause }));
        let base = outcome.kind === 'accepted' ? outcome.base : 0n;
        return callers.map((records): AppendOutcome => {
          if (outcome.kind !== 'accepted') return outcome;
          const mine = { ...outcome, base };
          base += BigInt(records.length);
          return mine;
        });
      },
    });
  }

  append(records: readonly NewRecord[]): Promise<AppendOutcome> {
    return this.#coalescer.add(records);
  }

  /** Resolves when no append waits or is in flight. */
  idle(): Promise<void> {
    return this.#coalescer.idle();
  }
}
