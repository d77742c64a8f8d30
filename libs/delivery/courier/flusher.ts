import { jittered, pause, withDeadline } from '#concurrency';
import { Fault, isFault } from '#faults';
import { MAX_APPEND_RECORDS } from '#log';
import type { OwnedChange, OwnedTable } from '#table';
import type { CursorRow } from '../port.js';
import type { Attempts } from './attempts.js';
import type { Followed } from './followed.js';
import type { Run } from './run.js';

/** Between two looks at what has moved: after kill -9 only what ended since the last one is delivered again (R8.7). */
const EVERY_MS = 500;

/** How long a request waits for what it has ended to be durable. */
const ANSWER_MS = 10_000;
/** A flush takes some ms. What ends while one takes longer than this would be delivered again after a kill, so no attempt starts then (R8.7). */
const LATE_MS = 2_000;

export interface FlusherDeps {
  readonly runs: () => Iterable<Run>;
  readonly cursors: Pick<OwnedTable<CursorRow>, 'write'>;
  readonly attempts: Pick<Attempts, 'flush'>;
  readonly epoch: bigint;
  readonly now: () => number;
  readonly fenced: () => void;
  readonly failed?: ((cause: unknown) => void) | undefined;
}

export const cursorKey = (subscription: string, stream: string): string => `${subscription}/${stream}`;

/** Stores how far the subscriptions of a partition are: attempts first, then the cursors that are past them. */
export class Flusher {
  readonly #deps: FlusherDeps;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #loop: Promise<void> | undefined;
  /** When the first flush began that is not durable. */
  #since: number | undefined;

  constructor(deps: FlusherDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop = this.#go();
  }

  /** What has ended is not durable, and has not been for a while: the log takes nothing. */
  get isLate(): boolean {
    return this.#since !== undefined && this.#deps.now() - this.#since > LATE_MS;
  }

  async #go(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await pause(jittered(EVERY_MS), signal);
      if (signal.aborted) return;
      await this.flush(false).catch((cause: unknown) => this.#deps.failed?.(cause));
    }
  }

  /** `all`: also cursors that have only passed what is not due. Resolves when they are durable. Faults as OwnedTable.write(). */
  flush(all: boolean): Promise<void> {
    const flushed = this.#running.then(() => this.#flush(all));
    this.#running = flushed.catch(() => undefined);
    return flushed;
  }

  /**
   * Resolves when what has ended until now is durable: one flush for all who ask meanwhile. Faults as OwnedTable.write(); not_durable when the log does not answer
   * for 10 s: it may become durable yet.
   */
  soon(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.flush(false);
    });
    return withDeadline(this.#next, ANSWER_MS, () => {
      throw new Fault('not_durable');
    });
  }

  async #flush(all: boolean): Promise<void> {
    const { runs, cursors, attempts, epoch, now, fenced } = this.#deps;
    const at = now();
    this.#since ??= at;
    const changes: OwnedChange<CursorRow>[] = [];
    const due: { readonly followed: Followed; readonly row: CursorRow; readonly moves: number }[] = [];
    for (const run of runs()) {
      // What is stored of it now is up to who has stopped it.
      if (run.isStopped && !all) continue;
      for (const [name, followed] of run.streams) {
        for (const [p, next] of followed.scanned.entries()) run.lanes.scanned(name, p, next);
        const moves = run.lanes.moves(name);
        if (!followed.mayBeDue(moves)) continue;
        const row = followed.rowOf(run.lanes.cursor(name));
        if (!followed.due(row, at, all)) continue;
        changes.push({ key: cursorKey(run.subscription.id, name), row, epoch });
        due.push({ followed, row, moves });
      }
    }
    // What a cursor passes has its attempt on record.
    await attempts.flush();
    try {
      for (let i = 0; i < changes.length; i += MAX_APPEND_RECORDS) {
        const some = changes.slice(i, i + MAX_APPEND_RECORDS);
        await cursors.write(some);
        for (const { followed, row, moves } of due.slice(i, i + some.length)) followed.stored(row, moves, at);
      }
      this.#since = undefined;
    } catch (cause) {
      for (const { followed } of due) followed.touch();
      if (isFault(cause) && cause.code === 'fenced') fenced();
      throw cause;
    }
  }

  /** No further look; resolves when the one that runs has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#running;
  }
}
