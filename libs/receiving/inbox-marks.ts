import type { Inbox, InboxEvent } from '#consuming';

const DAY_MS = 86_400_000;
/** The hub finds the copy of an event for 8 days (R2.2). */
const LEAST_KEEP_MS = 9 * DAY_MS;
const KEEP_MS = 30 * DAY_MS;

/** Ends a look into the inbox without a row. */
const NEW = new Error('not handled yet');

/**
 * Which events the handlers have taken. Rows of their own beside those of `idempotent()`: a handler that has failed after its effect is called again, and its effect is not done
 * again. No transaction is open while a handler runs.
 */
export class InboxMarks {
  readonly #inbox: Inbox;
  readonly #group: string;
  readonly #keepMs: number;
  readonly #now: () => number;
  #day: number;
  /** Recorded times of the oldest event of the day before, and of this day. */
  #oldest: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];

  constructor(inbox: Inbox, group: string, keepMs: number | undefined, now: () => number) {
    this.#inbox = inbox;
    this.#group = group;
    this.#keepMs = Math.max(keepMs ?? KEEP_MS, LEAST_KEEP_MS);
    this.#now = now;
    this.#day = now();
  }

  /** Runs what handles the event, unless it was handled before. */
  async once(event: InboxEvent, handle: () => Promise<void>): Promise<void> {
    if (await this.#has(event)) return;
    await handle();
    await this.#inbox.once(this.#marks, event, () => undefined);
    this.#prune(event);
  }

  get #marks(): string {
    return `${this.#group}/webhook`;
  }

  async #has(event: InboxEvent): Promise<boolean> {
    try {
      return !(await this.#inbox.once(this.#marks, event, () => {
        throw NEW;
      }));
    } catch (cause) {
      if (cause === NEW) return false;
      throw cause;
    }
  }

  /** Once a day, and never rows that are younger than what came in the last two days: an old event may come again as well. */
  #prune({ recordedtime }: InboxEvent): void {
    const recorded = Date.parse(recordedtime);
    if (recorded < this.#oldest[1]) this.#oldest[1] = recorded;
    const now = this.#now();
    if (now - this.#day < DAY_MS) return;
    const before = Math.min(now - this.#keepMs, ...this.#oldest.map((ms) => ms - DAY_MS));
    this.#day = now;
    this.#oldest = [this.#oldest[1], Number.POSITIVE_INFINITY];
    // Rows that stay are removed the next time.
    for (const group of [this.#group, this.#marks]) this.#inbox.prune(group, before).catch(() => undefined);
  }
}
