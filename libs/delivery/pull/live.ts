import type { ReadEvent } from '#reading';
import type { CursorRow } from '../port.js';
import type { Leases } from './leases.js';

/** What one write to a live reader holds at most, so that little is sent again to one that comes back. */
const EVENTS = 100;
const WAIT_MS = 30_000;
const LEASE_MS = 60_000;

/** Some events for a live reader. */
export interface LiveEvents {
  readonly events: readonly ReadEvent[];
  /** The reader has taken them: resolves when that is durable. Faults: fenced, not_durable, lease_lost (it took more than a minute). */
  taken(): Promise<void>;
  /** It has not. */
  back(): void;
}

/** The one connection that a subscription with the target `sse` is sent to. */
export interface LiveReader {
  /** Where it is: everything before was taken. For Last-Event-ID. */
  cursor(): string;
  /** The next events; undefined: none came within 30 s, or the signal aborted. */
  next(signal: AbortSignal): Promise<LiveEvents | undefined>;
  /** The connection has ended. */
  left(): void;
  /** Aborts when a newer connection takes over (reason `taken_over`), and when this owner does not run the subscription any more (`stopped`). */
  readonly over: AbortSignal;
}

/** The place of the one connection of a subscription. */
export class LiveSeat {
  readonly #now: () => number;
  #taken: AbortController | undefined;
  /** When the last connection ended, or the run began; undefined: one is open. */
  #unreadSince: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
    this.#unreadSince = now();
  }

  /** Whether no connection is open, and none was since this time, ms. */
  isUnreadSince(ms: number): boolean {
    return this.#unreadSince !== undefined && this.#unreadSince <= ms;
  }

  /** The reader of a new connection; the one before is over. */
  take(leases: Leases, cursor: () => string): LiveReader {
    this.#taken?.abort('taken_over');
    const taken = (this.#taken = new AbortController());
    this.#unreadSince = undefined;
    const left = (): void => {
      if (this.#taken === taken) this.#unreadSince ??= this.#now();
    };
    return { ...liveReader(leases, cursor, taken.signal), left };
  }

  stop(): void {
    this.#taken?.abort('stopped');
  }
}

function liveReader(leases: Leases, cursor: () => string, over: AbortSignal): Omit<LiveReader, 'left'> {
  return {
    cursor,
    over,
    next: async (signal) => {
      const pulled = await leases.pull({ limit: EVENTS, waitMs: WAIT_MS, leaseMs: LEASE_MS }, signal);
      if (pulled === undefined) return undefined;
      const { events, token } = pulled;
      const last = new Map(events.map((e) => [e.position.slice(0, e.position.lastIndexOf('/')), e]));
      const through = [...last.values()].map(({ position, partition, offset }) => ({
        stream: position.slice(0, position.indexOf('/')),
        partition,
        offset,
      }));
      return {
        events,
        taken: async () => void (await leases.commit(token, through)),
        back: () => void leases.release(token),
      };
    },
  };
}

type Places = ReadonlyMap<string, Pick<CursorRow, 'topicId' | 'next'>>;

/** The places in all streams as the text of an id: base64url of JSON. */
export function liveCursor(places: Places): string {
  const texts = [...places].map(([stream, { topicId, next }]) => [stream, topicId, next.map(String)]);
  return Buffer.from(JSON.stringify(texts)).toString('base64url');
}

/** undefined: it is no such text. */
export function readLiveCursor(text: string): Places | undefined {
  try {
    const parts = JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, string, string[]][];
    const places = new Map<string, { topicId: string; next: bigint[] }>();
    for (const [stream, topicId, next] of parts) {
      if (typeof stream !== 'string' || typeof topicId !== 'string' || !next.every((o) => /^\d{1,18}$/.test(o)))
        return undefined;
      places.set(stream, { topicId, next: next.map(BigInt) });
    }
    return places;
  } catch {
    return undefined;
  }
}

/** The cursor to go on from when a reader says that it has taken only what lies before `seen`; undefined: it has taken everything that is finished. */
export function rewound(row: CursorRow, seen: Pick<CursorRow, 'topicId' | 'next'> | undefined): CursorRow | undefined {
  if (seen?.topicId !== row.topicId) return undefined;
  const done: Record<number, readonly bigint[]> = { ...row.done };
  let isBehind = false;
  const next = row.next.map((offset, p) => {
    const from = seen.next[p] ?? offset;
    const begin = row.start[p] ?? 0n;
    const to = from < begin ? begin : from;
    if (to >= offset) return offset;
    isBehind = true;
    // Which of them the reader has, nobody knows.
    delete done[p];
    return to;
  });
  // The reader asks for them again: the filter of now decides of all of them.
  const { since: _since, ...rest } = row;
  return isBehind ? { ...rest, next, done } : undefined;
}
