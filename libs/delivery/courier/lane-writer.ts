import { Coalescer, jittered, pause } from '#concurrency';
import { isFault } from '#faults';
import { MAX_APPEND_RECORDS } from '#log';
import type { OwnedTable } from '#table';
import type { StoredRow } from '../port.js';
import type { Attempts } from './attempts.js';

const RETRY_MS = 1_000;

/** A write to `_simpul.lanes`; undefined deletes. */
export interface StoredChange {
  readonly key: string;
  readonly row: StoredRow | undefined;
}

export interface LaneWriterDeps {
  readonly lanes: Pick<OwnedTable<StoredRow>, 'write'>;
  readonly attempts: Pick<Attempts, 'flush'>;
  readonly epoch: bigint;
  /** Aborts when the partition is lost or closes. */
  readonly signal: AbortSignal;
  /** A newer owner has written: this one must stop. */
  readonly fenced: () => void;
  readonly failed?: ((cause: unknown) => void) | undefined;
}

/**
 * Writes rows of lanes until they are durable, however long the log does not answer, in the order of the calls: what a crash loses are the last ones, never one
 * in the middle. Attempts that ended before are on record then.
 */
export class LaneWriter {
  readonly #deps: LaneWriterDeps;
  readonly #writes: Coalescer<readonly StoredChange[], boolean>;

  constructor(deps: LaneWriterDeps) {
    this.#deps = deps;
    this.#writes = new Coalescer({
      run: async (calls: readonly (readonly StoredChange[])[]) => {
        // A row, or its deletion, ends an attempt for good: after a crash nobody would make it again, and its record would be missing for ever.
        await deps.attempts.flush();
        const isWritten = await this.#all(calls.flat());
        return calls.map(() => isWritten);
      },
    });
  }

  /** true: durable. false: the partition is not this owner's any more, or it closes; whether they were written is not known. Never rejects. */
  write(changes: readonly StoredChange[]): Promise<boolean> {
    return this.#writes.add(changes);
  }

  /** Resolves when no write is in flight. */
  idle(): Promise<void> {
    return this.#writes.idle();
  }

  async #all(changes: readonly StoredChange[]): Promise<boolean> {
    for (let at = 0; at < changes.length; at += MAX_APPEND_RECORDS)
      if (!(await this.#some(changes.slice(at, at + MAX_APPEND_RECORDS)))) return false;
    return true;
  }

  async #some(changes: readonly StoredChange[]): Promise<boolean> {
    const { lanes, epoch, signal, fenced, failed } = this.#deps;
    const owned = changes.map(({ key, row }) => ({ key, row, epoch }));
    while (!signal.aborted) {
      try {
        await lanes.write(owned);
        return true;
      } catch (cause) {
        if (isFault(cause) && cause.code === 'fenced') {
          fenced();
          return false;
        }
        // Long subjects: fewer rows fit an append than their number says.
        if (isFault(cause) && cause.code === 'record_too_large' && changes.length > 1) return this.#halves(changes);
        failed?.(cause);
        await pause(jittered(RETRY_MS), signal);
      }
    }
    return false;
  }

  async #halves(changes: readonly StoredChange[]): Promise<boolean> {
    const half = changes.length >> 1;
    return (await this.#some(changes.slice(0, half))) && this.#some(changes.slice(half));
  }
}
