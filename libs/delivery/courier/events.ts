import { pause } from '#concurrency';
import { formatPosition } from '#event';
import { isFault } from '#faults';
import type { ReadEvent } from '#reading';
import type { CompiledSubscription } from '#subscriptions';
import type { AttemptItem, Outcome } from '../lanes/types.js';
import type { Place } from '../port.js';
import { NOT_READABLE } from './attempt-row.js';
import { editedEvent, type Edited } from './edited.js';

/** Before a read that the log has not answered is made again. */
const AGAIN_MS = 1_000;
/** Nobody can read the event any more. */
const LOST = new Set<string>(['corrupt_record', 'offset_out_of_range']);

export interface EventsDeps {
  readonly read: (subscription: CompiledSubscription, position: string) => Promise<ReadEvent | undefined>;
  readonly compiled: () => CompiledSubscription;
  readonly now: () => number;
  /** Aborts when the run has ended. */
  readonly signal: AbortSignal;
  readonly failed: (cause: unknown) => void;
}

/** The events of attempts: from memory, or from the log, and with what a person has put in the place of their data. */
export class Events {
  readonly #deps: EventsDeps;
  readonly #edited = new Map<string, Edited>();
  /** By stream and partition: what lies below was looked at before rights may have changed. */
  readonly #old = new Map<string, readonly bigint[]>();

  constructor(deps: EventsDeps) {
    this.#deps = deps;
  }

  /** The next try of the event sends this; undefined: its own data. */
  edit(position: string, edited: Edited | undefined): void {
    if (edited === undefined) this.#edited.delete(position);
    else this.#edited.set(position, edited);
  }

  /** What was looked at until now (`scanned`, by partition) is read once more, by the rights of its turn. */
  lookAgain(stream: string, scanned: readonly bigint[]): void {
    this.#old.set(stream, scanned);
  }

  /**
   * Up to the first one that the owner may not see any more (R12.4); none: it is the first one. What was due when it was looked at stays due, whatever the filter is by now (R8.9).
   * undefined: the run has ended. Throws when nobody can read the first one.
   */
  async all(items: readonly AttemptItem<ReadEvent>[]): Promise<readonly ReadEvent[] | undefined> {
    const events: ReadEvent[] = [];
    for (const item of items) {
      try {
        const event = await this.of(item);
        if (this.#deps.signal.aborted) return undefined;
        if (event === undefined) break;
        events.push(event);
      } catch (cause) {
        if (events.length === 0) throw cause;
        break;
      }
    }
    return events;
  }

  /** As all(), where every event is in memory, and nothing has changed that decides what is due; undefined: ask all(). */
  atHand(items: readonly AttemptItem<ReadEvent>[]): readonly ReadEvent[] | undefined {
    const events: ReadEvent[] = [];
    for (let i = 0; i < items.length; i++) {
      const event = this.known(items[i]!);
      if (event === undefined) return undefined;
      events.push(event);
    }
    return events;
  }

  /** The event where it is in memory, and nothing has changed that decides what is due. */
  known({ event, place }: AttemptItem<ReadEvent>): ReadEvent | undefined {
    return this.#edited.size > 0 || this.#isOld(place) ? undefined : event;
  }

  /** undefined: the owner may not see it any more, or the run has ended. Throws when nobody can read it. */
  async of({ event: known, place }: AttemptItem<ReadEvent>): Promise<ReadEvent | undefined> {
    const position = positionOf(place);
    const event = known === undefined || this.#isOld(place) ? await this.#reread(position) : known;
    const edited = this.#edited.get(position);
    return event === undefined || edited === undefined ? event : editedEvent(event, edited, this.#deps.now());
  }

  #isOld({ stream, partition, offset }: Place): boolean {
    const below = this.#old.get(stream)?.[partition];
    return below !== undefined && offset < below;
  }

  /** Reads an event until the log answers. Faults that say that it never will: `corrupt_record`, `offset_out_of_range`. */
  async #reread(position: string): Promise<ReadEvent | undefined> {
    const { read, compiled, failed, signal } = this.#deps;
    while (!signal.aborted) {
      try {
        return await read(compiled(), position);
      } catch (cause) {
        if (isFault(cause) && LOST.has(cause.code)) throw cause;
        failed(cause);
        await pause(AGAIN_MS, signal);
      }
    }
    return undefined;
  }
}

export function positionOf({ stream, partition, offset }: Place): string {
  return formatPosition(stream, partition, offset);
}

/** The outcome of an event that nobody can read: it is parked at once, so that it stands in the list of what could not be delivered. */
export const refusedFor = (cause: unknown): Outcome => ({
  kind: 'refused',
  reason: isFault(cause) ? cause.code : 'internal',
});

/** The outcome of an event that the owner of the subscription may not read any more (R12.4). */
export const WITHDRAWN = { kind: 'withdrawn', reason: NOT_READABLE } as const;
