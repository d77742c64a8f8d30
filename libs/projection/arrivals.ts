import { partitionKey } from '#event';
import type { State, StreamPartition } from '#state';

interface Waiter {
  readonly target: bigint;
  done(): void;
  giveUp(): void;
}

interface Place {
  readonly storage: string;
  readonly part: StreamPartition;
  readonly waiters: Set<Waiter>;
}

const placeKey = (storage: string, { stream, partition }: StreamPartition): string =>
  `${storage}/${partitionKey(stream, partition)}`;

/** Waiting until views have folded up to an offset. Polls the store only while a caller waits, once for all callers. */
export class Arrivals {
  readonly #state: State;
  readonly #pollMs: number;
  readonly #places = new Map<string, Place>();
  #polling: NodeJS.Timeout | undefined;

  constructor(state: State, pollMs = 10) {
    this.#state = state;
    this.#pollMs = pollMs;
  }

  /** Resolves true when the stored next offset reaches `target`, false after maxMs or when the signal aborts. */
  async waitFor(
    storage: string,
    part: StreamPartition,
    target: bigint,
    maxMs: number,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (maxMs <= 0 || signal?.aborted) return false;
    const key = placeKey(storage, part);
    return new Promise<boolean>((resolve) => {
      const place = this.#places.get(key) ?? { storage, part, waiters: new Set<Waiter>() };
      this.#places.set(key, place);
      const end = (reached: boolean) => (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        place.waiters.delete(waiter);
        if (place.waiters.size === 0) this.#places.delete(key);
        resolve(reached);
      };
      const giveUp = end(false);
      const waiter: Waiter = { target, done: end(true), giveUp };
      const timer = setTimeout(giveUp, maxMs);
      signal?.addEventListener('abort', giveUp, { once: true });
      place.waiters.add(waiter);
      this.#poll();
    });
  }

  /** A projector of this process has folded up to `next`. */
  arrived(storage: string, part: StreamPartition, next: bigint): void {
    const place = this.#places.get(placeKey(storage, part));
    for (const w of place?.waiters ?? []) if (next >= w.target) w.done();
  }

  /** Another generation of the view serves: waits for an older one end with false. */
  leave(view: string): void {
    for (const place of this.#places.values())
      if (place.storage.startsWith(`${view}~`)) for (const w of place.waiters) w.giveUp();
  }

  #poll(): void {
    if (this.#polling !== undefined) return;
    this.#polling = setTimeout(() => {
      void this.#ask().finally(() => {
        this.#polling = undefined;
        if (this.#places.size > 0) this.#poll();
      });
    }, this.#pollMs);
  }

  async #ask(): Promise<void> {
    const places = [...this.#places.values()];
    for (const storage of new Set(places.map((p) => p.storage))) {
      const mine = places.filter((p) => p.storage === storage);
      try {
        const stored = await this.#state.positions(
          storage,
          mine.map((p) => p.part),
        );
        for (const [i, p] of mine.entries()) {
          const next = stored[i]?.next;
          if (next !== undefined) this.arrived(storage, p.part, next);
        }
      } catch {
        // The store is unavailable: callers wait until their time is over.
      }
    }
  }
}
