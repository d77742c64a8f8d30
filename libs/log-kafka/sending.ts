import { isFault } from '#faults';
import type { NewRecord } from '#log';
import type { ProduceOutcome } from './decode-produce.js';
import { encodeBatch } from './encode.js';
import type { KafkaLogOptions } from './options.js';
import { answerError, codecs, lineError, ProduceLine, type ProducerIdentity } from './platformatic.js';
import type { Topics } from './topics.js';
import type { Node, Sent, TopicShape } from './wire.js';

const RETRY_MS = 200;
/** One request carries every partition that waits for its broker, up to this. */
const REQUEST_BYTES = 8 * 1_048_576;

/** Answers after which the same batch may be sent again: its sequence keeps it from being written twice. */
const AGAIN = new Set([3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 56, 74, 75, 76, 89]);
/** Of these, the ones after which it may lie in the log all the same. */
const PERHAPS_WRITTEN = new Set([7, 13, 20]);
const UNKNOWN_TOPIC = 3;

interface Entry {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
  /** What went wrong after which it may have been written. */
  doubt: unknown;
  readonly resolve: (sent: Sent | undefined) => void;
  readonly reject: (error: unknown) => void;
  open: boolean;
}

interface Lane {
  waiting: Entry[];
  running: boolean;
}

/**
 * An idempotent producer, acks from all in sync, sending again without end: the caller has the deadline and sends one batch at a time per partition.
 * Each broker has one request in flight; what comes meanwhile, of whatever partitions, goes with the next. Every partition of a request succeeds,
 * fails and is sent again by itself, to the leader that it has then, as the same bytes with the same sequence.
 */
export class Sender {
  readonly #line: ProduceLine;
  readonly #topics: Topics;
  readonly #sequences = new Map<string, number>();
  readonly #open = new Set<Entry>();
  readonly #lanes = new Map<number, Lane>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #fresh: Entry[] = [];
  #scheduled = false;
  #identity: Promise<ProducerIdentity> | undefined;
  #known: ProducerIdentity | undefined;
  #closed = false;

  constructor(options: KafkaLogOptions, topics: Topics) {
    this.#line = new ProduceLine(options);
    this.#topics = topics;
  }

  /** undefined: the answer names no place. Rejects when it is sure that sending again is of no use, and when closed. */
  async send(topic: string, partition: number, records: readonly NewRecord[]): Promise<Sent | undefined> {
    const { id, epoch } = this.#known ?? (await this.#identify());
    if (this.#closed) throw lineError('closed before it was sent');
    const key = `${topic}/${partition}`;
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + records.length);
    const batch = encodeBatch(records, { producerId: id, epoch, sequence, timeMs: Date.now() }, (bytes) =>
      codecs.crc32c(bytes),
    );
    return new Promise((resolve, reject) => {
      const entry: Entry = { topic, partition, batch, doubt: undefined, resolve, reject, open: true };
      this.#open.add(entry);
      this.#enter([entry]);
    });
  }

  /** Ends also what is being sent; a send still open is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const entry of [...this.#open]) this.#fail(entry, lineError('closed while it was being sent'));
    await this.#line.close();
  }

  /** One identity for the life of this producer, asked for until some broker gives it. */
  async #identify(): Promise<ProducerIdentity> {
    this.#known = await (this.#identity ??= this.#ask());
    return this.#known;
  }

  async #ask(): Promise<ProducerIdentity> {
    for (let turn = 0; ; turn++) {
      try {
        const nodes = await this.#topics.nodes();
        return await this.#line.identify(nodes[turn % nodes.length]!);
      } catch (error) {
        if (this.#closed) throw lineError('closed before it was sent', error);
        this.#topics.forgetNodes();
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS);
    });
  }

  // What several partitions bring in one turn of the loop shares a request.
  #enter(entries: readonly Entry[]): void {
    this.#fresh.push(...entries);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const entry of this.#fresh.splice(0)) {
        const known = this.#topics.fresh(entry.topic);
        if (known) this.#queue(entry, known);
        else void this.#route(entry);
      }
    });
  }

  async #route(entry: Entry): Promise<void> {
    try {
      this.#queue(entry, await this.#topics.shape(entry.topic));
    } catch (error) {
      if (isFault(error) && error.code === 'unknown_topic') this.#fail(entry, answerError(UNKNOWN_TOPIC));
      else this.#later([entry]);
    }
  }

  #queue(entry: Entry, { leaders }: TopicShape): void {
    if (!entry.open) return;
    const leader = leaders[entry.partition];
    if (leader === undefined || leader < 0) return this.#later([entry]);
    let lane = this.#lanes.get(leader);
    if (!lane) this.#lanes.set(leader, (lane = { waiting: [], running: false }));
    const at = lane;
    at.waiting.push(entry);
    if (at.running) return;
    at.running = true;
    // the others of this turn find their leader in the same moment
    queueMicrotask(() => void this.#run(leader, at));
  }

  async #run(leader: number, lane: Lane): Promise<void> {
    while (lane.waiting.length > 0 && !this.#closed) {
      const entries = this.#take(lane);
      if (entries.length > 0) await this.#request(leader, entries);
      // partitions that were just answered have their next batch ready in this turn
      await new Promise((resolve) => setImmediate(resolve));
    }
    lane.running = false;
  }

  #take(lane: Lane): Entry[] {
    const taken: Entry[] = [];
    let bytes = 0;
    let n = 0;
    for (; n < lane.waiting.length; n++) {
      const entry = lane.waiting[n]!;
      if (!entry.open) continue;
      if (taken.length > 0 && bytes + entry.batch.length > REQUEST_BYTES) break;
      taken.push(entry);
      bytes += entry.batch.length;
    }
    lane.waiting.splice(0, n);
    return taken;
  }

  async #request(leader: number, entries: readonly Entry[]): Promise<void> {
    let node: Node | undefined;
    let outcomes: readonly ProduceOutcome[];
    try {
      node = await this.#topics.node(leader);
      if (!node) return this.#later(entries);
      outcomes = await this.#line.produce(node, entries);
    } catch (error) {
      // the request may have been on its way when the line broke
      for (const entry of entries) entry.doubt ??= error;
      this.#topics.forgetNodes();
      return this.#later(entries);
    }
    const byPlace = new Map(outcomes.map((o) => [`${o.topic}/${o.partition}`, o]));
    const again: Entry[] = [];
    for (const entry of entries) {
      const outcome = byPlace.get(`${entry.topic}/${entry.partition}`);
      if (!outcome) this.#settle(entry, undefined);
      else if (outcome.error === 0) this.#settle(entry, outcome);
      else if (AGAIN.has(outcome.error)) {
        const error = answerError(outcome.error, outcome.text);
        if (PERHAPS_WRITTEN.has(outcome.error)) entry.doubt ??= lineError('not all copies answered in time', error);
        again.push(entry);
      } else this.#fail(entry, answerError(outcome.error, outcome.text));
    }
    if (again.length > 0) this.#later(again);
  }

  /** The same batches once more, after a pause, to the leaders that are then known. */
  #later(entries: readonly Entry[]): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const open = entries.filter((e) => e.open);
      if (open.length === 0) return;
      const topics = [...new Set(open.map((e) => e.topic))];
      const asked = topics.map((topic) => this.#topics.refresh(topic));
      // a topic that is gone is told apart from a Kafka that does not answer when the entry looks for its leader
      void Promise.allSettled(asked).then((found) => {
        for (const [i, f] of found.entries())
          if (f.status === 'rejected' && isFault(f.reason) && f.reason.code === 'unknown_topic')
            this.#topics.forget(topics[i]!);
        this.#enter(open);
      });
    }, RETRY_MS);
    this.#timers.add(timer);
  }

  #settle(entry: Entry, outcome: ProduceOutcome | undefined): void {
    if (!this.#end(entry)) return;
    if (!outcome || outcome.base < 0n) entry.resolve(undefined);
    else
      entry.resolve({
        partition: outcome.partition,
        base: outcome.base,
        timeMs: outcome.timeMs >= 0 ? outcome.timeMs : Date.now(),
      });
  }

  #fail(entry: Entry, error: unknown): void {
    if (this.#end(entry))
      entry.reject(entry.doubt === undefined ? error : lineError('tried before', error, entry.doubt));
  }

  #end(entry: Entry): boolean {
    if (!entry.open) return false;
    entry.open = false;
    this.#open.delete(entry);
    return true;
  }
}
