import { defineEvent, type ReadEvent } from '#sdk';
import { parseAbove } from './above.js';
import type { EventSource, Interest, Sink } from './port.js';

export const BAN = defineEvent<{ n: number }>({
  type: 'imigrasi.cegah.ditetapkan',
  stream: 'imigrasi.cegah',
  version: 1,
  schema: '{"type":"record","name":"A","fields":[{"name":"n","type":"int"}]}',
});
export const END = defineEvent<{ n: number }>({ ...BAN, type: 'imigrasi.cegah.berakhir' });

export const eventAt = (partition: number, offset: number, subject: string, type: string = BAN.type): ReadEvent => ({
  specversion: '1.0',
  id: `e${partition}-${offset}`,
  source: 'urn:simpul:unit:SU00018:cekal',
  type,
  subject,
  time: '2026-01-01T00:00:00Z',
  recordedtime: '2026-01-01T00:00:00Z',
  dataschema: `urn:simpul:schema:${type}:1`,
  position: `imigrasi.cegah/${partition}/${offset}`,
  data: { n: offset },
});

/** A place as a source stores it: the index in the feed, and what is finished above it. A source of pages knows only where pages begin. */
export interface StoredPlace {
  readonly at: number;
  readonly above: string | undefined;
}

/** A source over events in memory. Its places outlive it, so a second one with the same places is the same source after a crash. */
export class MemorySource implements EventSource {
  readonly #feeds: ReadonlyMap<string, readonly ReadEvent[]>;
  readonly #places: Map<string, StoredPlace>;
  readonly #size: () => number;
  readonly #pages: boolean;
  readonly #committed: ((feed: string, place: StoredPlace) => void | Promise<void>) | undefined;
  readonly #end = Promise.withResolvers<void>();
  #stopped = false;
  sink: Sink | undefined;
  interest: Interest | undefined;
  delivered = 0;

  constructor(
    feeds: ReadonlyMap<string, readonly ReadEvent[]>,
    places: Map<string, StoredPlace>,
    size: () => number,
    committed?: (feed: string, place: StoredPlace) => void | Promise<void>,
    pages = false,
  ) {
    this.#feeds = feeds;
    this.#places = places;
    this.#size = size;
    this.#committed = committed;
    this.#pages = pages;
  }

  async run(sink: Sink, interest: Interest): Promise<void> {
    this.sink = sink;
    this.interest = interest;
    await Promise.all([...this.#feeds].map(([feed, events]) => this.#feed(feed, events, sink)));
    await this.#end.promise;
  }

  async #feed(feed: string, events: readonly ReadEvent[], sink: Sink): Promise<void> {
    const place = this.#places.get(feed);
    let above = place?.above;
    for (let at = place?.at ?? 0; at < events.length && !this.#stopped;) {
      const from = at;
      const batch = events.slice(at, (at += this.#size()));
      this.delivered += batch.length;
      try {
        await sink.deliver({
          feed,
          events: batch.map((event) => ({ event })),
          ...(above === undefined ? {} : { above }),
          commit: async (count, now) => {
            const passed = this.#pages && count < batch.length ? 0 : count;
            const stored = { at: from + passed, above: now };
            await this.#committed?.(feed, stored);
            this.#places.set(feed, stored);
          },
        });
      } catch {
        return;
      }
      above = undefined;
    }
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#end.resolve();
    return Promise.resolve();
  }
}

/** The events that a place says to be finished. */
export function finishedAt(events: readonly ReadEvent[], place: StoredPlace | undefined): ReadEvent[] {
  const above = parseAbove(place?.above);
  return events.filter((e, i) => {
    if (i < (place?.at ?? 0)) return true;
    const [, partition, offset] = e.position.split('/').map(Number) as [number, number, number];
    const known = above.get(partition);
    return known !== undefined && offset <= known.high && !known.open.has(offset);
  });
}
