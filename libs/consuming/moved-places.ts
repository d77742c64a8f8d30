import { isSdkFault, type Reader, type ReadEvent } from '#sdk';
import { parseAbove, type Above } from './above.js';
import { eventsMissing, GAPS, placeOf } from './hub-place.js';
import type { Places } from './places.js';

export interface MovedPlacesOptions {
  readonly places: Places;
  readonly reader: Pick<Reader, 'pages'>;
  readonly onGap: 'stop' | 'earliest';
  readonly gap: (stream: string, code: string) => void;
  readonly signal: AbortSignal;
}

/** The places that an earlier source of this app has stored for streams: a subscription that is made for it goes on there (ADR 43). */
export class MovedPlaces {
  readonly #o: MovedPlacesOptions;
  readonly #moving = new Set<string>();
  /** By stream and partition: what had ended behind the place. */
  readonly #above = new Map<
    string,
    ReadonlyMap<number, Pick<Above, 'high'> & { readonly open: ReadonlySet<number> }>
  >();

  constructor(options: MovedPlacesOptions) {
    this.#o = options;
  }

  /** Where the subscription begins in these streams; undefined: no place is stored. Rejects with `events_missing` when one is gone and `onGap` is stop. */
  async starts(streams: Iterable<string>): Promise<Readonly<Record<string, string>> | undefined> {
    const { places } = this.#o;
    const starts: Record<string, string> = {};
    for (const stream of streams) {
      const place = placeOf(await places.load(stream));
      if (place === undefined || place.moved !== undefined) continue;
      this.#moving.add(stream);
      starts[stream] = await this.#placeIn(stream, place.cursor, place.from ?? 'earliest');
      if (place.above !== undefined) this.#above.set(stream, parseAbove(place.above));
    }
    return this.#moving.size === 0 ? undefined : starts;
  }

  /** A later start does not move them again. */
  async moved(subscription: string): Promise<void> {
    for (const stream of this.#moving) await this.#o.places.save(stream, JSON.stringify({ moved: subscription }));
  }

  /** It was made by somebody else. */
  forget(): void {
    this.#above.clear();
    this.#moving.clear();
  }

  /** It had ended before the places were moved. */
  has({ position }: ReadEvent): boolean {
    if (this.#above.size === 0) return false;
    const [stream = '', partition, offset] = position.split('/');
    const above = this.#above.get(stream)?.get(Number(partition));
    return above !== undefined && Number(offset) <= above.high && !above.open.has(Number(offset));
  }

  async #placeIn(stream: string, cursor: string | undefined, from: string): Promise<string> {
    if (cursor === undefined) return from;
    const { reader, onGap, gap, signal } = this.#o;
    try {
      // The hub says here, and not when it delivers, that the place is gone.
      for await (const _page of reader.pages(stream, { cursor, limit: 1, signal })) break;
      return cursor;
    } catch (cause) {
      if (!isSdkFault(cause) || !GAPS.has(cause.code)) throw cause;
      if (onGap === 'stop') throw eventsMissing(stream, cause);
      gap(stream, cause.code);
      this.#above.delete(stream);
      return 'earliest';
    }
  }
}
