import { Coalescer } from '#concurrency';
import { bytesOf, MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type AppendOutcome, type EventLog, type NewRecord } from '#log';

/** Share of one append that these records use (R3.4): 1 is a full one. */
function shareOf(records: readonly NewRecord[]): number {
  const bytes = records.reduce((sum, r) => sum + bytesOf(r), 0);
  return Math.max(records.length / MAX_APPEND_RECORDS, bytes / MAX_APPEND_BYTES);
}

/**
 * Plain appends (no transaction) to a one-partition topic: one append in flight, callers that come meanwhile share the next one, in the order of
 * their calls. The records of one caller stay together: all or none. Never throws for I/O.
 */
export class TopicAppends {
  readonly #coalescer: Coalescer<readonly NewRecord[], AppendOutcome>;

  constructor(log: Pick<EventLog, 'append'>, topic: string) {
    this.#coalescer = new Coalescer({
      max: 1,
      sizeOf: shareOf,
      run: async (callers) => {
        // A log that breaks its promise never to throw must not leave callers waiting: what it did is unknown.
        const outcome = await log
          .append(topic, 0, callers.flat())
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
