import { deferred, pause } from '#concurrency';
import { leaseFailureOf, type LeaseFailure } from '#sdk';
import { BatchQueue } from './batches.js';
import { ConsumerFault, reasonOf } from './fault.js';
import { Feed, type Entry, type Lane } from './feed.js';
import { Hand } from './hand.js';
import type { ConsumerOptions, Failure } from './handler.js';
import { letterOf } from './letter.js';
import { PlaceWriter } from './place-writer.js';
import { readyMsOf, type FeedBatch, type Interest, type Sink } from './port.js';
import type { ConsumerStatus, Parked } from './status.js';
import { DEFAULT_KEEP_MS, pruneRegularly } from './pruning.js';
import { failedFault, watchTimes } from './times.js';
import { Work } from './work.js';

interface State {
  readonly feed: Feed;
  readonly places: PlaceWriter;
  readonly timers: Set<NodeJS.Timeout>;
  /** deliver() that waits for room. */
  more: (() => void) | undefined;
  /** revoke() that waits for the end of work. */
  idle: (() => void) | undefined;
  revoking: Promise<void> | undefined;
}

/**
 * Takes events from a source and gives them to handlers. Events of one subject of a feed are handled one after another, in the order of the feed and over all types;
 * different subjects side by side. At-least-once: the place of a feed moves only behind finished events; after a crash those come again that were in work, and
 * those that ended within `placeMs` before it.
 */
export class Consumer implements Sink {
  readonly #options: ConsumerOptions;
  readonly #hands = new Map<string, Hand>();
  readonly #feeds = new Map<string, State>();
  readonly #works = new Set<Work>();
  readonly #limits;
  #reject!: (fault: ConsumerFault) => void;
  readonly #ended = new Promise<never>((_resolve, reject) => (this.#reject = reject));
  readonly #group: string;
  #state: ConsumerStatus['state'] = 'new';
  #fault: unknown;
  #events = 0;
  #bytes = 0;
  #finished = 0;
  #watch: NodeJS.Timeout | undefined;
  readonly #ending = deferred<void>();
  #shutdown: Promise<void> | undefined;

  /** Throws `ConsumerFault`: `no_handler`, `two_handlers`, `no_dead_letters`. */
  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#group = options.group ?? 'default';
    this.#limits = {
      feedEvents: 4_000,
      feedBytes: 16 << 20,
      events: 20_000,
      bytes: 64 << 20,
      parked: 1_000,
      ...options.limits,
    };
    this.#ended.catch(() => undefined);
    if (options.handlers.length === 0)
      throw new ConsumerFault('no_handler', 'a consumer needs at least one handler: onEvent(token, …)');
    for (const handling of options.handlers) {
      const hand = new Hand(handling, options.source.keepsAccount);
      if (this.#hands.has(hand.type))
        throw new ConsumerFault('two_handlers', `two handlers for ${hand.type}: a type has one handler in a consumer`);
      if (hand.then === 'dead-letter' && options.deadLetters === undefined)
        throw new ConsumerFault(
          'no_dead_letters',
          `the handler of ${hand.type} has then: 'dead-letter', but the consumer has no deadLetters`,
        );
      this.#hands.set(hand.type, hand);
    }
  }

  /** Works until stop(). Rejects with the one fault that ended it: a `ConsumerFault`, or what the source rejected with. Places are stored before it settles. */
  async run(): Promise<void> {
    if (this.#state !== 'new') throw new ConsumerFault('stopped', 'a consumer runs once');
    this.#state = 'running';
    this.#watch = watchTimes(this.#works, [...this.#hands.values()], (fault) => this.#end(fault));
    const { inbox, inboxKeepMs = DEFAULT_KEEP_MS } = this.#options;
    const feeds = (): Feed[] => [...this.#feeds.values()].map(({ feed }) => feed);
    const pruning = inbox === undefined ? undefined : pruneRegularly(inbox, this.#group, feeds, inboxKeepMs);
    const source = this.#options.source.run(this, this.#interest);
    try {
      await Promise.race([source, this.#ended]);
      if (this.#shutdown === undefined)
        throw new ConsumerFault('source_ended', 'the source of events has ended by itself');
    } catch (cause) {
      if (this.#shutdown === undefined) this.#fault ??= cause;
    }
    this.#ending.resolve();
    await this.#shutDown();
    clearInterval(pruning);
    await source.catch(() => undefined);
    this.#state = this.#fault === undefined ? 'stopped' : 'failed';
    if (this.#fault !== undefined) throw this.#fault;
  }

  get #interest(): Interest {
    const hands = [...this.#hands.values()];
    return {
      types: hands.map(({ type }) => type),
      width: hands.reduce((sum, { batch, size, concurrency }) => sum + (batch === undefined ? concurrency : size), 0),
      timeoutMs: Math.max(...hands.map(({ timeoutMs }) => timeoutMs)),
    };
  }

  /** Resolves when the source is ready (EventSource.ready) or has ended, and after `withinMs` (the source's `readyMs`, or 5 s) in any case. Called after run(). */
  async ready(withinMs?: number): Promise<void> {
    const { source } = this.#options;
    withinMs ??= readyMsOf(source);
    const over = new AbortController();
    await Promise.race([source.ready?.(), this.#ending.promise, pause(withinMs, over.signal)]);
    over.abort();
  }

  /** Begins no event any more, waits for those in work, stores the places. Then run() settles. Idempotent. */
  async stop(): Promise<void> {
    if (this.#state === 'new') this.#state = 'stopped';
    else await this.#shutDown();
  }

  status(): ConsumerStatus {
    return {
      state: this.#state,
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
      feeds: [...this.#feeds.values()].map(({ feed }) => ({
        feed: feed.name,
        open: feed.events,
        working: feed.working,
        parked: feed.parked,
      })),
      finished: this.#finished,
    };
  }

  parked(): Parked[] {
    return [...this.#parkedLanes()].map(([, lane]) => {
      const { feed, received, hand, attempts } = lane.head!;
      return {
        feed: feed.name,
        position: received.event.position,
        type: hand.type,
        attempts,
        waiting: lane.length - 1,
      };
    });
  }

  /** Tries a parked event again at once. false: none is parked at this position. */
  retry(position: string): boolean {
    return this.#unpark(position, (entry) => this.#ready(entry));
  }

  /** Leaves out a parked event for ever; its subject goes on. false: none is parked at this position. */
  skip(position: string): boolean {
    return this.#unpark(position, (entry) => this.#finish([entry]));
  }

  async deliver(batch: FeedBatch): Promise<void> {
    if (this.#shutdown !== undefined) throw new ConsumerFault('stopped', 'the consumer has ended');
    let state = this.#feeds.get(batch.feed);
    if (state === undefined) this.#feeds.set(batch.feed, (state = this.#open(batch.feed)));
    const { feed } = state;
    if (feed.closing) return;
    const before = feed.bytes;
    const entries = feed.take(batch, (type) => this.#hands.get(type));
    this.#events += entries.length;
    this.#bytes += feed.bytes - before;
    const hands = new Set<Hand>();
    for (const entry of entries) {
      const { hand } = entry;
      hands.add(hand);
      if (hand.batch !== undefined) queueOf(entry).push(entry);
      else if (entry.before === undefined) hand.ready.push(entry);
    }
    for (const hand of hands) this.#pump(hand, feed);
    state.places.moved();
    if (this.#hasRoom(feed)) return;
    await new Promise<void>((resolve) => (state.more = resolve));
    if (this.#shutdown !== undefined) throw new ConsumerFault('stopped', 'the consumer has ended');
  }

  revoke(name: string, withinMs: number): Promise<void> {
    const state = this.#feeds.get(name);
    if (state === undefined) return Promise.resolve();
    return (state.revoking ??= this.#revoke(state, withinMs));
  }

  async #revoke(state: State, withinMs: number): Promise<void> {
    const { feed, places, timers } = state;
    feed.closing = true;
    for (const timer of timers) clearTimeout(timer);
    state.more?.();
    const late = new AbortController();
    const over = pause(withinMs, late.signal).then(() => {
      feed.dead ||= !late.signal.aborted;
    });
    const done = (async () => {
      if (feed.working > 0) await new Promise<void>((resolve) => (state.idle = resolve));
      if (!feed.dead) await places.flush();
    })();
    await Promise.race([done, over]);
    late.abort();
    feed.dead = true;
    for (const work of this.#works)
      if (work.of === feed) work.abort(new ConsumerFault('stopped', `${feed.name} is taken away`));
    this.#events -= feed.events;
    this.#bytes -= feed.bytes;
    this.#feeds.delete(feed.name);
    this.#roomForAll();
  }

  #open(name: string): State {
    const feed = new Feed(name);
    const { placeMs = 100, report } = this.#options;
    const places = new PlaceWriter(feed, {
      placeMs,
      failed: (cause) => report?.placeFailed?.(name, cause),
      gaveUp: (cause) =>
        this.#end(
          new ConsumerFault('place_not_stored', `the place of ${name} could not be stored: ${reasonOf(cause)}`, cause),
        ),
    });
    return { feed, places, timers: new Set(), more: undefined, idle: undefined, revoking: undefined };
  }

  /** Begins what may begin. A handler that works synchronously comes back here while it is pumped, so this never calls itself. */
  #pump(hand: Hand, feed: Feed): void {
    if (hand.batch !== undefined) {
      this.#pumpBatches(hand, feed);
      return;
    }
    if (hand.pumping) return;
    hand.pumping = true;
    while (hand.working < hand.concurrency) {
      const entry = hand.ready.shift();
      if (entry === undefined) break;
      if (!entry.gone && !entry.feed.closing) this.#beginOrEnd([entry]);
    }
    hand.pumping = false;
  }

  #pumpBatches(hand: Hand, feed: Feed): void {
    const queue = feed.queues.get(hand);
    if (queue === undefined || queue.pumping) return;
    queue.pumping = true;
    while (!queue.busy && !feed.closing) {
      const entries = queue.cut(hand.size);
      if (entries.length === 0) break;
      queue.busy = true;
      this.#beginOrEnd(entries);
    }
    queue.pumping = false;
  }

  /** What its source has known as handled, or would not wait for, is not begun. */
  #beginOrEnd(entries: readonly Entry[]): void {
    const [{ hand, held }] = entries as [Entry];
    const { account } = held.batch;
    if (account === undefined) this.#begin(entries);
    else if (entries.every(({ received }) => account.wasHandled(received.event))) this.#done(entries);
    else if (account.mayBegin(hand.timeoutMs)) this.#begin(entries);
    else this.#giveBack(entries);
  }

  #begin(entries: readonly Entry[]): void {
    const [{ hand, feed }] = entries as [Entry];
    for (const entry of entries) entry.attempts++;
    const work = new Work({ group: this.#group, inbox: this.#options.inbox }, entries, entries[0]!.attempts);
    hand.working++;
    feed.working++;
    this.#works.add(work);
    let result: unknown;
    try {
      result = work.begin();
    } catch (cause) {
      this.#failed(work, cause);
      return;
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function')
      (result as PromiseLike<unknown>).then(
        () => this.#succeeded(work),
        (cause: unknown) => this.#failed(work, cause),
      );
    else this.#succeeded(work);
  }

  #release(work: Work): void {
    const { hand, of: feed } = work;
    this.#works.delete(work);
    hand.working--;
    feed.working--;
  }

  #succeeded(work: Work): void {
    this.#release(work);
    const { hand, of: feed, entries } = work;
    if (!feed.dead) this.#done(entries);
    this.#pump(hand, feed);
    this.#idle(feed);
  }

  #done(entries: readonly Entry[]): void {
    const [{ hand, feed }] = entries as [Entry];
    const queue = feed.queues.get(hand);
    if (queue !== undefined) queue.busy = false;
    this.#finish(entries);
  }

  /** The source takes them, and what follows them in their lanes, and gives them again. */
  #giveBack(entries: readonly Entry[], failure?: LeaseFailure): void {
    const [{ hand, feed }] = entries as [Entry];
    const wake = new Set<Hand>();
    for (const entry of entries) {
      if (entry.gone) continue;
      const { events, bytes } = feed;
      const next = feed.giveBack(entry, failure);
      this.#events -= events - feed.events;
      this.#bytes = this.#events === 0 ? 0 : this.#bytes - (bytes - feed.bytes);
      if (next === undefined) continue;
      if (next.hand.batch === undefined) next.hand.ready.push(next);
      wake.add(next.hand);
    }
    const queue = feed.queues.get(hand);
    if (queue !== undefined) queue.busy = false;
    for (const each of wake) if (each !== hand) this.#pump(each, feed);
    this.#roomForAll();
  }

  /** The entries are finished: their lanes go on, the place may move. */
  #finish(entries: readonly Entry[]): void {
    const { feed, hand } = entries[0]!;
    const wake = new Set<Hand>();
    for (const entry of entries) {
      const { bytes } = feed;
      const next = feed.finish(entry);
      this.#events--;
      this.#bytes = this.#events === 0 ? 0 : this.#bytes - (bytes - feed.bytes);
      this.#finished++;
      if (next === undefined) continue;
      if (next.hand.batch === undefined) next.hand.ready.push(next);
      wake.add(next.hand);
    }
    if (hand.batch !== undefined) wake.add(hand);
    for (const each of wake) this.#pump(each, feed);
    const state = this.#feeds.get(feed.name);
    if (state?.feed !== feed) return;
    state.places.moved();
    if (state.more !== undefined && this.#hasRoom(feed)) this.#more(state);
    else if (this.#events < this.#limits.events) this.#roomForAll();
  }

  #failed(work: Work, cause: unknown): void {
    this.#release(work);
    const { hand, of: feed, entries } = work;
    if (feed.closing) {
      this.#idle(feed);
      this.#pump(hand, feed);
      return;
    }
    const again = hand.mayRetry(cause);
    const { account } = entries[0]!.held.batch;
    const waitMs = hand.backoffMs(work.attempt);
    const wanted = again && work.attempt < hand.attempts ? 'retry' : hand.then;
    const inTime = wanted !== 'retry' || account?.mayBegin(hand.timeoutMs, waitMs) !== false;
    const next = inTime ? wanted : 'park';
    this.#tell(entries[0]!, cause, next === 'park' && account !== undefined ? 'hub' : next);
    if (next === 'retry') this.#later(feed, waitMs, () => this.#again(entries));
    else if (next === 'park' && account !== undefined)
      this.#giveBack(entries, again ? leaseFailureOf(cause) : { ...leaseFailureOf(cause), final: true });
    else if (next === 'park') {
      feed.park(entries[0]!.lane);
      const ms = hand.parkedMs * (0.75 + Math.random() / 2);
      entries[0]!.timer = this.#later(feed, ms, () => this.#again(entries));
    } else if (next === 'dead-letter') void this.#giveUp(work, cause);
    else this.#end(failedFault(work, cause));
    this.#pump(hand, feed);
  }

  #again(entries: readonly Entry[]): void {
    const { hand, feed } = entries[0]!;
    if (hand.batch !== undefined) this.#begin(entries);
    else this.#ready(entries[0]!);
    this.#pump(hand, feed);
  }

  #ready(entry: Entry): void {
    entry.timer = undefined;
    entry.feed.unpark(entry.lane);
    entry.hand.ready.push(entry);
    this.#pump(entry.hand, entry.feed);
  }

  /** Writes the entry to the dead letters. A batch is first tried event by event, once each: only those that fail are given up. */
  async #giveUp(work: Work, cause: unknown): Promise<void> {
    const { hand, of: feed, entries } = work;
    feed.working++;
    const given: Entry[] = [];
    for (const entry of entries) {
      const failed = entries.length === 1 ? cause : await this.#alone(entry);
      if (failed === undefined || (await this.#write(entry, failed))) given.push(entry);
      if (feed.closing) break;
    }
    feed.working--;
    if (given.length > 0 && !feed.dead) {
      const queue = feed.queues.get(hand);
      if (queue !== undefined) queue.busy = false;
      this.#finish(given);
    }
    this.#idle(feed);
  }

  /** What an event of a batch fails with when it is alone. */
  async #alone(entry: Entry): Promise<unknown> {
    entry.attempts++;
    const work = new Work({ group: this.#group, inbox: this.#options.inbox }, [entry], entry.attempts);
    this.#works.add(work);
    try {
      await work.begin();
      return undefined;
    } catch (cause) {
      this.#tell(entry, cause, 'dead-letter');
      return cause ?? new Error('rejected without a cause');
    } finally {
      this.#works.delete(work);
    }
  }

  /** true: the letter is durable. */
  async #write(entry: Entry, cause: unknown): Promise<boolean> {
    const letter = letterOf(this.#group, entry, cause);
    for (let n = 1; !entry.feed.closing; n++) {
      try {
        await this.#options.deadLetters!.write(letter);
        return true;
      } catch (failed) {
        if (failed instanceof ConsumerFault) {
          this.#end(failed);
          return false;
        }
        this.#tell(entry, failed, 'dead-letter');
        await pause(entry.hand.backoffMs(n));
      }
    }
    return false;
  }

  #tell(entry: Entry, cause: unknown, next: Failure['next']): void {
    const { position, id } = entry.received.event;
    this.#options.report?.failed?.({ type: entry.hand.type, position, id, attempt: entry.attempts, cause, next });
  }

  #later(feed: Feed, ms: number, act: () => void): NodeJS.Timeout | undefined {
    const state = this.#feeds.get(feed.name);
    if (state?.feed !== feed) return undefined;
    const timer = setTimeout(() => {
      state.timers.delete(timer);
      if (!feed.closing) act();
    }, ms);
    state.timers.add(timer);
    return timer;
  }

  #idle(feed: Feed): void {
    if (feed.working > 0 || !feed.closing) return;
    const state = this.#feeds.get(feed.name);
    if (state?.feed === feed) state.idle?.();
  }

  #unpark(position: string, act: (entry: Entry) => void): boolean {
    for (const [feed, lane] of this.#parkedLanes()) {
      if (lane.head!.received.event.position !== position) continue;
      const entry = lane.head!;
      clearTimeout(entry.timer);
      this.#feeds.get(feed.name)?.timers.delete(entry.timer!);
      act(entry);
      return true;
    }
    return false;
  }

  *#parkedLanes(): Iterable<[Feed, Lane]> {
    for (const { feed } of this.#feeds.values()) for (const lane of feed.lanes) if (lane.parked) yield [feed, lane];
  }

  #hasRoom(feed: Feed): boolean {
    const { feedEvents, feedBytes, events, bytes, parked } = this.#limits;
    if (feed.events >= feedEvents || feed.bytes >= feedBytes || feed.parked >= parked) return false;
    return feed.events === 0 || (this.#events < events && this.#bytes < bytes);
  }

  #roomForAll(): void {
    for (const state of this.#feeds.values())
      if (state.more !== undefined && this.#hasRoom(state.feed)) this.#more(state);
  }

  #more(state: State): void {
    state.more?.();
    state.more = undefined;
  }

  #end(fault: ConsumerFault): void {
    this.#fault ??= fault;
    this.#reject(fault);
    for (const { feed } of this.#feeds.values()) feed.closing = true;
  }

  #shutDown(): Promise<void> {
    return (this.#shutdown ??= (async () => {
      if (this.#state === 'running') this.#state = 'stopping';
      const { stopMs = 25_000, source } = this.#options;
      for (const state of this.#feeds.values()) {
        state.feed.closing = true;
        this.#more(state);
      }
      const feeds = [...this.#feeds.keys()].map((name) => this.revoke(name, stopMs));
      await Promise.all([...feeds, source.stop()]);
      clearInterval(this.#watch);
    })());
  }
}

function queueOf({ feed, hand }: Entry): BatchQueue {
  let queue = feed.queues.get(hand);
  if (queue === undefined) feed.queues.set(hand, (queue = new BatchQueue()));
  return queue;
}

/** Makes a consumer; `run()` starts it. Throws `ConsumerFault` when the handlers do not fit together. */
export function createConsumer(options: ConsumerOptions): Consumer {
  return new Consumer(options);
}
