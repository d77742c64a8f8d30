import { jittered, pause } from '#concurrency';
import { partitionKey } from '#event';
import { innermostMessage } from '#faults';
import type { Cluster, Consumer } from 'kafkajs';
import { isFinal, type ClusterLog } from './cluster-log.js';
import { KafkaSourceFault } from './faults.js';
import type { Fetcher } from './fetcher.js';
import { markOf, marksText, type Marks } from './marks.js';
import { OpenPartition, type PartitionDeps } from './open-partition.js';
import { Places } from './places.js';
import { startsOf, tellRange, tellRecreated, type Start } from './range.js';
import { MARKED } from './tables.js';

const BUFFER_BYTES = 64 * 1_048_576;
const LEAST_BUFFER = 2 * 1_048_576;
/** Kafka forgets a place of a topic that the group does not read after offsets.retention.minutes, 7 days by default. */
const REMARK_MS = 12 * 3_600_000;
const RETRY_MS = 500;

export interface PartitionsDeps extends Omit<PartitionDeps, 'places' | 'missed' | 'leftRange' | 'failed'> {
  readonly sessionMs: number;
  readonly cluster: Cluster;
  readonly log: ClusterLog;
  readonly fetcher: Fetcher;
  readonly commit: Consumer['commitOffsets'];
  isStopping(): boolean;
  /** The partitions of an assignment are open. */
  placed(): void;
  /** The source can never go on. */
  fail(error: unknown): void;
}

/** The partitions that a member of the group has now: where they begin, what becomes of them when their place is not in the log any more, and their loss. */
export class Partitions {
  readonly #deps: PartitionsDeps;
  readonly #prefix: string;
  readonly #sessionMs: number;
  /** By Kafka's topic and partition. */
  readonly #open = new Map<string, OpenPartition>();
  readonly #places: Places;
  /** Grows with each assignment and each loss: what belongs to an earlier one changes nothing. */
  #generation = 0;
  readonly #renewing = new Map<string, Promise<void>>();
  readonly #read = new Map<string, string>();
  #marks: Marks = new Map();
  #markedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: PartitionsDeps) {
    this.#deps = deps;
    this.#prefix = deps.options.prefix ?? '';
    this.#sessionMs = deps.sessionMs;
    this.#places = new Places((places) =>
      deps.commit(
        places.map(({ topic, partition, offset, above }) => ({
          topic,
          partition,
          offset: String(offset),
          metadata: above ?? null,
        })),
      ),
    );
  }

  /** The settled end of this partition has moved. */
  settled(stream: string, partition: number): void {
    this.#open.get(partitionKey(this.#prefix + stream, partition))?.feed.wake();
  }

  /** Nothing is opened any more. */
  end(): void {
    this.#generation++;
  }

  /** Retention may have passed a slow reader between two fetches. True: it has, and that is told. */
  async #missed(open: OpenPartition, first: number): Promise<boolean> {
    const range = await this.#rangeOf(open.topic, open.partition);
    if (range === undefined || Number(range.low) <= open.feed.expected) return false;
    return first > open.feed.expected && (await this.#leftRange(open), true);
  }

  #isOver(generation: number): boolean {
    return generation !== this.#generation || this.#deps.isStopping();
  }

  /** Takes the step again until it is taken, or the generation is over. What is final ends the source. */
  async #retrying(
    generation: number,
    tell: ((reason: string) => void) | undefined,
    step: () => Promise<void>,
  ): Promise<void> {
    while (!this.#isOver(generation))
      try {
        await step();
        return;
      } catch (error) {
        if (error instanceof KafkaSourceFault || isFinal(error)) {
          this.#deps.fail(error);
          return;
        }
        tell?.(innermostMessage(error));
        await pause(jittered(RETRY_MS));
      }
  }

  /** Opens the partitions that the member has now; until the next assignment or revokeAll(). */
  assign(assignment: Readonly<Record<string, readonly number[]>>): Promise<void> {
    const generation = ++this.#generation;
    const { report, from } = this.#deps.options;
    return this.#retrying(
      generation,
      (reason) => report?.rejoining?.(reason),
      async () => {
        const { starts, marks } = await startsOf(assignment, {
          options: this.#deps.options,
          lines: this.#deps.lines,
          cluster: this.#deps.cluster,
          log: this.#deps.log,
          tables: this.#deps.tables,
          read: this.#read,
        });
        if (this.#isOver(generation)) return;
        if (from === 'latest') await this.#begin(starts.filter((s) => s.isFirst));
        if (this.#isOver(generation)) return;
        this.#marks = marks;
        for (const start of starts) this.#openFeed(start);
        this.#deps.placed();
      },
    );
  }

  /** A group finds its end once: what comes from then on is its own, also when another member, or a later process, gets the partition before the first event is finished. */
  async #begin(starts: readonly Start[]): Promise<void> {
    if (starts.length === 0) return;
    try {
      await this.#deps.commit(starts.map(({ topic, partition, from }) => ({ topic, partition, offset: String(from) })));
    } catch (cause) {
      // Nothing of it is final here: a member that is none any more is told so by its heartbeat.
      throw new Error(`the beginnings of the group are not stored: ${innermostMessage(cause)}`, { cause });
    }
  }

  #openFeed(start: Omit<Start, 'isFirst'>): void {
    const { topic, partition, topicId } = start;
    const stream = topic.slice(this.#prefix.length);
    const { bufferBytes = BUFFER_BYTES } = this.#deps.options;
    const maxBytes = Math.max(LEAST_BUFFER, bufferBytes / Math.max(4, this.#open.size + 1));
    const open = new OpenPartition(start, stream, maxBytes, {
      ...this.#deps,
      places: this.#places,
      missed: (missing, first) => this.#missed(missing, first),
      leftRange: (left) => void this.#leftRange(left),
      failed: (error) => this.#deps.fail(error),
    });
    this.#open.set(partitionKey(topic, partition), open);
    this.#read.set(stream, markOf(topicId));
    this.#deps.fetcher.add(open);
  }

  /** The place of an open feed is said not to be in its log any more. */
  #leftRange(open: OpenPartition): Promise<void> {
    const generation = this.#generation;
    return this.#retrying(
      generation,
      (reason) => this.#deps.options.report?.clientError?.(reason),
      () => this.#lookForRange(open, generation),
    );
  }

  async #lookForRange(open: OpenPartition, generation: number): Promise<void> {
    const { topic, partition, stream, feed } = open;
    this.#deps.log.forgetId(stream);
    const topicId = await this.#deps.tables.identify(stream);
    if (topicId !== open.topicId) {
      await this.#recreated(stream, topicId);
      return;
    }
    const { low, high } = (await this.#rangeOf(topic, partition)) ?? { low: 0n, high: 0n };
    if (this.#isOver(generation)) return;
    if (feed.expected >= low && feed.expected <= high) {
      // A former leader said it, which did not know yet that it leads no more.
      await pause(jittered(RETRY_MS));
      if (!this.#isOver(generation) && feed.isOpen) this.#deps.fetcher.add(open);
      return;
    }
    const found = { feed: feed.name, wanted: String(feed.expected), low: String(low), high: String(high) };
    if (feed.expected < low) {
      tellRange({ ...found, why: 'retention' }, this.#deps.options, this.#deps.lines);
      feed.skipTo(Number(low));
      this.#deps.fetcher.add(open);
      return;
    }
    await this.#revoke([open], this.#sessionMs / 2);
    if (this.#isOver(generation)) return;
    tellRange({ ...found, why: 'truncated' }, this.#deps.options, this.#deps.lines);
    this.#openFeed({ topic, partition, topicId, from: Number(low), above: undefined });
  }

  async #rangeOf(topic: string, partition: number): Promise<{ low: bigint; high: bigint } | undefined> {
    const ranges = await this.#deps.log.describe(topic.slice(this.#prefix.length));
    return ranges.find((r) => r.partition === partition);
  }

  /** Another topic has the name of the stream: all its partitions are read from their beginning, or the source ends. Several of them notice it. */
  #recreated(stream: string, topicId: string): Promise<void> {
    let running = this.#renewing.get(stream);
    if (running === undefined) {
      running = this.#renew(stream, topicId).finally(() => this.#renewing.delete(stream));
      this.#renewing.set(stream, running);
    }
    return running;
  }

  async #renew(stream: string, topicId: string): Promise<void> {
    const opens = [...this.#open.values()].filter((o) => o.stream === stream && o.topicId !== topicId);
    const [first] = opens;
    if (first === undefined) return;
    const generation = this.#generation;
    // First: what can fail leaves the partitions open, and they are looked at again.
    const ranges = new Map((await this.#deps.log.describe(stream)).map((range) => [range.partition, range]));
    await this.#revoke(opens, this.#sessionMs / 2);
    if (this.#isOver(generation)) return;
    const range = ranges.get(first.partition) ?? { low: 0n, high: 0n };
    tellRecreated(stream, first.feed.expected, range, this.#deps.options, this.#deps.lines);
    for (const { topic, partition } of opens) {
      const from = Number(ranges.get(partition)?.low ?? 0);
      this.#openFeed({ topic, partition, topicId, from, above: undefined });
    }
  }

  /** A topic that was made again has other events at the same offsets. */
  async identifyAll(): Promise<void> {
    for (const stream of new Set([...this.#open.values()].map((open) => open.stream)))
      try {
        await this.#recreated(stream, await this.#deps.tables.identify(stream));
      } catch (error) {
        if (error instanceof KafkaSourceFault) this.#deps.fail(error);
        // Anything else is asked again in 5 s.
      }
    await this.mark();
  }

  /** Not right after a join: all members are to read the former marks. */
  async mark(): Promise<void> {
    const marks = new Map(this.#marks);
    for (const { stream, topicId } of this.#open.values()) marks.set(stream, markOf(topicId));
    const metadata = marksText(marks);
    const isOld = performance.now() - this.#markedAt > REMARK_MS;
    if (marks.size === 0 || (metadata === marksText(this.#marks) && !isOld)) return;
    try {
      await this.#deps.commit([{ topic: this.#prefix + MARKED, partition: 0, offset: '0', metadata }]);
      this.#marks = marks;
      this.#markedAt = performance.now();
    } catch {
      // Stored again in 5 s.
    }
  }

  revokeAll(withinMs: number): Promise<void> {
    this.#generation++;
    return this.#revoke([...this.#open.values()], withinMs);
  }

  async #revoke(opens: readonly OpenPartition[], withinMs: number): Promise<void> {
    await Promise.all(
      opens.map(async (open) => {
        const { feed, topic, partition } = open;
        const key = partitionKey(topic, partition);
        this.#deps.fetcher.remove(open);
        feed.halt();
        await this.#deps.sink.revoke(feed.name, withinMs).catch(() => undefined);
        feed.close();
        if (this.#open.get(key)?.feed === feed) this.#open.delete(key);
      }),
    );
  }
}
