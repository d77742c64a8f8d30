import { hubCaller, ownOutcomes } from '#core';
import { jittered, pause } from '#concurrency';
import { innermostMessage, type Fault } from '#faults';
import type { Offered, Publishing } from '#publishing';

/** The part of the hub that watches over what is published. */
export const WATCH = hubCaller('watch');
const BATCH = 100;
/** The log may not answer, and one sender may have any number of events refused: what comes while so many wait is not published. */
const WAITING = 10_000;
/** Of these, of one sender: nobody keeps out the notices about others. */
const OF_ONE = 0.5;
const RETRY_MS = 1_000;

export interface NoticeDeps {
  readonly publishing: Pick<Publishing, 'publish'>;
  /** How many events may wait. @default 10,000 */
  readonly waiting?: number;
  readonly report: {
    /** An event can never be published. */
    refused(fault: Fault): void;
    /** The log does not take it now; it is tried again. */
    failed(cause: string): void;
    /** So many events are not published, because too many wait. */
    dropped(events: number): void;
  };
}

/** A notice of the hub about an event of `from`. */
export interface Notice {
  /** The unit or party whose event it is about. */
  readonly from: string;
  readonly offered: Offered;
}

/** Publishes notices of the hub in the background, again until the log takes them. While too many wait, further ones are dropped and reported. */
export class NoticeQueue {
  #waiting: Notice[] = [];
  readonly #ofOne = new Map<string, number>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(private readonly deps: NoticeDeps) {}

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Returns at once. */
  push(notices: readonly Notice[]): void {
    if (this.isClosed) return;
    const { report, waiting = WAITING } = this.deps;
    let dropped = 0;
    for (const notice of notices) {
      const ofOne = this.#ofOne.get(notice.from) ?? 0;
      if (this.#waiting.length >= waiting || ofOne >= Math.ceil(waiting * OF_ONE)) dropped++;
      else {
        this.#ofOne.set(notice.from, ofOne + 1);
        this.#waiting.push(notice);
      }
    }
    if (dropped > 0) report.dropped(dropped);
    if (this.#waiting.length > 0) this.#running ??= this.#run();
  }

  /** What waits is not published by this process. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { publishing, report } = this.deps;
    const { signal } = this.#closing;
    while (this.#waiting.length > 0 && !signal.aborted) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        const offered = batch.map((notice) => notice.offered);
        const outcomes = ownOutcomes(await publishing.publish(offered, { caller: WATCH, partial: true }));
        for (const outcome of outcomes) if (typeof outcome !== 'string') report.refused(outcome);
        const again = batch.filter((_, i) => outcomes[i] === 'retry');
        for (const [i, { from }] of batch.entries()) if (outcomes[i] !== 'retry') this.#left(from);
        this.#waiting = [...again, ...this.#waiting.slice(batch.length)];
        if (again.length > 0) await pause(jittered(RETRY_MS), signal);
      } catch (cause) {
        report.failed(innermostMessage(cause));
        await pause(jittered(RETRY_MS), signal);
      }
    }
    // In one step with the look at what waits: notices that come right behind it would otherwise wait for the next push().
    this.#running = undefined;
  }

  #left(from: string): void {
    const ofOne = (this.#ofOne.get(from) ?? 1) - 1;
    if (ofOne === 0) this.#ofOne.delete(from);
    else this.#ofOne.set(from, ofOne);
  }
}
