import { ENDLESS, type LongWork } from '#limits';
import type { Reading } from '#reading';
import type { Attachment, FeedPlace, Follower, Wanting } from './follower.js';
import { Front } from './front.js';
import { Link, type FeedStream } from './link.js';
import type { Matches } from './matches.js';
import { Passes } from './passes.js';

export interface FeedDeps<W extends Wanting> {
  readonly reading: Pick<Reading, 'follow' | 'readLogged' | 'extent' | 'settledEnd'>;
  readonly makeMatches: () => Matches<W>;
  /** In whose turns a unit is caught up (R16.5). @default without turns */
  readonly work?: (unit: string) => LongWork;
  /** Greatest number of catch-up readers that read at a time. @default 8 */
  readonly catchUpReaders?: number;
  /** The log, or the end of a stream, cannot be read for now, which is tried again. Called each time. */
  readonly interrupted?: (stream: string, cause: unknown) => void;
}

/** Numbers for metrics. */
export interface FeedUse {
  readonly followers: number;
  /** Followers that catch up. */
  readonly behind: number;
  /** Catch-up readers that run, wait or rest. */
  readonly readers: number;
}

interface OfStream<W extends Wanting> {
  readonly front: Front<W>;
  readonly links: Map<string, Link<W>>;
}

const CATCH_UP_READERS = 8;
const WITHOUT_TURNS: LongWork = { run: (work) => work(ENDLESS) };

/**
 * How events get from streams to the followers of this process: one reader at the end of each stream for all of them, and catch-up readers, few at a time, for those
 * that are behind (R9.1). A follower changes between the two without a missed or doubled event, because both speak of offsets.
 */
export class Feed<W extends Wanting> {
  readonly #deps: FeedDeps<W>;
  readonly #streams = new Map<string, OfStream<W>>();
  readonly #passes: Passes<W>;
  #closed = false;

  constructor(deps: FeedDeps<W>) {
    this.#deps = deps;
    this.#passes = new Passes({
      makeMatches: deps.makeMatches,
      reading: deps.reading,
      work: deps.work ?? (() => WITHOUT_TURNS),
      atOnce: deps.catchUpReaders ?? CATCH_UP_READERS,
      atFront: (link, atEnd) => this.#of(link.stream).front.take(link, atEnd),
      failed: (stream, cause) => deps.interrupted?.(stream.name, cause),
    });
  }

  get use(): FeedUse {
    const links = [...this.#streams.values()].flatMap((stream) => [...stream.links.values()]);
    return {
      followers: links.length,
      behind: links.filter(({ mode }) => mode === 'catch-up').length,
      readers: this.#passes.size,
    };
  }

  /**
   * One call for each subscription and stream; throws when it is attached there already. `_simpul.test` is a stream too. Nothing is offered before the call has
   * returned.
   */
  attach(stream: FeedStream, follower: Follower<W>, from: FeedPlace): Attachment {
    const own = this.#of(stream);
    const { id } = follower.subscription;
    if (this.#closed) throw new Error('the feed is closed');
    if (own.links.has(id)) throw new Error(`${id} is attached to ${stream.name} already`);
    const link = new Link(stream, follower, from, {
      endOf: (partition) => this.#endOf(own, stream.name, partition),
      gone: () => own.links.delete(id),
    });
    own.links.set(id, link);
    if (!own.front.take(link, false)) this.#passes.start(link);
    return link;
  }

  /** Ends all readers; followers are not called any more. */
  close(): void {
    this.#closed = true;
    for (const { front, links } of this.#streams.values()) {
      for (const link of [...links.values()]) link.detach();
      front.close();
    }
    this.#passes.close();
  }

  #of(stream: FeedStream): OfStream<W> {
    const known = this.#streams.get(stream.name);
    if (known !== undefined) return known;
    const { makeMatches, reading } = this.#deps;
    const front = new Front<W>(
      {
        makeMatches,
        follow: (place, atEnd, listener) => reading.follow(place, atEnd, listener),
        behind: (links) => {
          for (const link of links) this.#passes.start(link);
        },
        interrupted: (fault) => this.#deps.interrupted?.(stream.name, fault),
      },
      stream,
    );
    const own = { front, links: new Map<string, Link<W>>() };
    this.#streams.set(stream.name, own);
    return own;
  }

  #endOf({ front }: OfStream<W>, stream: string, partition: number): bigint {
    const settled = this.#deps.reading.settledEnd(stream, partition);
    const followed = front.end[partition] ?? 0n;
    return settled > followed ? settled : followed;
  }
}
