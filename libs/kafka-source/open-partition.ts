import { jittered, pause } from '#concurrency';
import type { Sink } from '#consuming';
import { innermostMessage } from '#faults';
import { beginOf, type AbortedTransaction } from '#kafka-records';
import { Feed } from './feed.js';
import type { Fetcher, Fetching } from './fetcher.js';
import type { Lines } from './lines.js';
import type { KafkaOptions } from './options.js';
import type { Places } from './places.js';
import type { Start } from './range.js';
import type { Reach } from './reach.js';
import type { Tables } from './tables.js';

const RETRY_MS = 500;

/** What the partitions of a member share. */
export interface PartitionDeps {
  readonly options: KafkaOptions;
  readonly sink: Sink;
  readonly tables: Tables;
  readonly types: ReadonlySet<string>;
  readonly counts: { delivered: number; copies: number; foreign: number; damaged: number };
  readonly places: Places;
  readonly fetcher: Pick<Fetcher, 'wake'>;
  readonly lines: Lines;
  /** The hub, and schemas: what a feed waits for. */
  readonly hub: Reach;
  readonly schemas: Reach;
  /** What was fetched begins at this offset, behind the one that was asked for. True: that was deleted, and is told. */
  missed(open: OpenPartition, first: number): Promise<boolean>;
  /** Its next offset is not in the log. */
  leftRange(open: OpenPartition): void;
  failed(error: unknown): void;
}

/** A partition that this member reads: its feed, and what the fetcher asks for it. */
export class OpenPartition implements Fetching {
  readonly feed: Feed;
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly #deps: PartitionDeps;
  #isPaused = false;

  constructor(start: Omit<Start, 'isFirst'>, stream: string, maxBytes: number, deps: PartitionDeps) {
    this.topic = start.topic;
    this.partition = start.partition;
    this.topicId = start.topicId;
    this.stream = stream;
    this.#deps = deps;
    this.feed = this.#feed(start, maxBytes);
  }

  wanted(): number | undefined {
    const { feed } = this;
    return this.#isPaused || feed.isFull || !feed.isOpen ? undefined : feed.expected;
  }

  take(bytes: Buffer, aborted: readonly AbortedTransaction[]): void {
    const { feed } = this;
    const first = Number(beginOf(bytes) ?? 0);
    if (first <= feed.expected) {
      feed.take(bytes, aborted);
      return;
    }
    this.#isPaused = true;
    void this.#deps
      .missed(this, first)
      .then((missed) => {
        if (!missed) feed.take(bytes, aborted);
      })
      // It is fetched again.
      .catch(() => undefined)
      .finally(() => this.#goOn());
  }

  outOfRange(): void {
    this.#deps.leftRange(this);
  }

  #goOn(): void {
    this.#isPaused = false;
    this.#deps.fetcher.wake();
  }

  #feed({ topic, partition, from, above }: Omit<Start, 'isFirst'>, maxBytes: number): Feed {
    const { options, sink, tables, types, counts, places, fetcher, lines, hub, schemas, failed } = this.#deps;
    const { batchEvents = 500, report } = options;
    const { stream } = this;
    const feed: Feed = new Feed(
      {
        ...{ stream, partition, sink, tables, types, batchEvents, counts, above, failed },
        store: (offset, finished) =>
          places.store({ topic, partition, offset, above: finished, isOwn: () => !feed.isClosed }),
        drained: () => fetcher.wake(),
        damaged: (position) => lines.damaged(position),
        corrupt: (position, cause) => {
          report?.clientError?.(`${position}: ${innermostMessage(cause)}; it is fetched again`);
          this.#isPaused = true;
          void pause(jittered(RETRY_MS)).then(() => this.#goOn());
        },
        schemaMissing: (missing) => schemas.failed(feed.name, missing),
        schemaFound: () => schemas.answered(feed.name),
        unsettled: (position) => hub.failed(feed.name, position),
        settled: () => hub.answered(feed.name),
        closed: () => {
          hub.forget(feed.name);
          schemas.forget(feed.name);
        },
      },
      from,
      maxBytes,
    );
    return feed;
  }
}
