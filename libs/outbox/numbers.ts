import type { PreparedEvent } from '#sdk';

interface Counter {
  last: number;
  /** Numbers of refused events, ascending. */
  free: number[];
}

/**
 * `urutanunit` per stream, stored with the events: the number of a refused event is used again, so that a reader sees no gap (R14.5). take() and release() change the
 * memory, store() writes in the transaction of the caller; after a transaction that failed, forget() goes back to what is stored.
 */
export class Numbers {
  readonly #read: (stream: string) => { readonly last: number; readonly free: string } | undefined;
  readonly #write: (stream: string, last: number, free: string) => void;
  readonly #counters = new Map<string, Counter>();
  readonly #changed = new Set<string>();

  constructor(
    read: (stream: string) => { readonly last: number; readonly free: string } | undefined,
    write: (stream: string, last: number, free: string) => void,
  ) {
    this.#read = read;
    this.#write = write;
  }

  take(stream: string): number {
    const counter = this.#of(stream);
    return counter.free.shift() ?? ++counter.last;
  }

  release(stream: string, number: number): void {
    const { free } = this.#of(stream);
    free.push(number);
    free.sort((a, b) => a - b);
  }

  store(): void {
    for (const stream of this.#changed) {
      const { last, free } = this.#counters.get(stream)!;
      this.#write(stream, last, JSON.stringify(free));
    }
    this.#changed.clear();
  }

  forget(): void {
    this.#counters.clear();
    this.#changed.clear();
  }

  #of(stream: string): Counter {
    this.#changed.add(stream);
    const known = this.#counters.get(stream);
    if (known !== undefined) return known;
    const row = this.#read(stream);
    const counter = { last: row?.last ?? 0, free: row === undefined ? [] : (JSON.parse(row.free) as number[]) };
    this.#counters.set(stream, counter);
    return counter;
  }
}

/** The event with its number, unless it has one. */
export function numbered(event: PreparedEvent, take: () => number): PreparedEvent {
  if (event.extensions?.['urutanunit'] !== undefined) return event;
  return { ...event, extensions: { ...event.extensions, urutanunit: String(take()) } };
}
