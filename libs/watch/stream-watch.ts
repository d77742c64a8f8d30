import { jittered, pause } from '#concurrency';
import { parseSource, timeMsOf } from '#event';
import { isFault } from '#faults';
import { cursorTopicId, type DamagedRecord, type Follow, type LoggedEvent, type Reading } from '#reading';
import type { StreamInfo } from '#registry';
import type { Units } from '#units';
import type { EventLog } from '#log';
import type { Book } from './book.js';
import type { Expectation } from './expectation.js';
import { numberIn } from './numbers.js';

const PAGE = { limit: 500, scanRecords: 5_000, pageBytes: 1_048_576 };
const RETRY_MS = 1_000;
/** Then others have the event loop. */
const SLICE_MS = 3;
/** Where a watch begins that remembers nothing: reports of today are known then, and older numbers are no news. */
const LOOK_BACK_MS = 26 * 3_600_000;

export interface StreamWatchDeps {
  readonly reading: Pick<Reading, 'readLogged' | 'follow' | 'extent'>;
  readonly log: Pick<EventLog, 'topicId' | 'describe' | 'offsetAt'>;
  readonly book: Book;
  readonly units: Units;
  readonly expectationsOf: (stream: string) => readonly Expectation[];
  readonly now: () => number;
  readonly failed: (stream: string, cause: unknown) => void;
}

export interface StreamPlace {
  readonly topicId: string;
  readonly next: readonly bigint[];
}

/** Looks at every settled event of one stream once, in the order of each partition: by pages while it is behind, then on the tail that live readers share. */
export class StreamWatch {
  readonly #deps: StreamWatchDeps;
  readonly #stream: Pick<StreamInfo, 'name' | 'partitions'>;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #place: StreamPlace | undefined;
  #follow: Follow | undefined;
  /** The newest recorded time that was seen; the stream was seen up to there at least. */
  #seenMs: number | undefined;

  constructor(deps: StreamWatchDeps, stream: Pick<StreamInfo, 'name' | 'partitions'>, place: StreamPlace | undefined) {
    this.#deps = deps;
    this.#stream = stream;
    this.#place = place;
  }

  /** Everything below was looked at; undefined: nothing yet. */
  get place(): StreamPlace | undefined {
    return this.#place;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#follow?.leave();
    this.#follow = undefined;
    await this.#running;
  }

  /** Up to when everything that was recorded has been looked at, ms: now, if nothing lies in the log behind the place. undefined: not known. Faults of the log. */
  async through(): Promise<number | undefined> {
    const at = this.#deps.now();
    const extent = await this.#deps.reading.extent(this.#stream);
    const place = this.#place;
    const isAtEnd = place !== undefined && extent.every(({ partition, high }) => (place.next[partition] ?? 0n) >= high);
    return isAtEnd ? at : this.#seenMs;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted)
      try {
        this.#place ??= await this.#begin();
        if (await this.#page()) await this.#atEnd();
      } catch (cause) {
        if (signal.aborted) return;
        if (isFault(cause) && (cause.code === 'stream_recreated' || cause.code === 'unknown_cursor')) {
          this.#place = undefined;
          this.#deps.book.forgetPlaces(this.#stream.name);
        }
        this.#deps.failed(this.#stream.name, cause);
        await pause(jittered(RETRY_MS), signal);
      }
  }

  async #begin(): Promise<StreamPlace> {
    const { log, now } = this.#deps;
    const { name, partitions } = this.#stream;
    const since = now() - LOOK_BACK_MS;
    const all = Array.from({ length: partitions }, (_, p) => p);
    const [topicId, ...next] = await Promise.all([log.topicId(name), ...all.map((p) => log.offsetAt(name, p, since))]);
    return { topicId: cursorTopicId(topicId), next };
  }

  /** true: the end of the stream is reached. */
  async #page(): Promise<boolean> {
    const place = this.#place!;
    const range = { stream: this.#stream, next: place.next, topicId: place.topicId, missing: 'skip' as const };
    const page = await this.#deps.reading.readLogged(range, () => true, PAGE);
    for (const item of page.events) this.#look(item);
    this.#place = { ...place, next: page.next };
    return page.stopped === 'end' || page.stopped === 'unsettled';
  }

  /** Resolves when pages have to be read again. */
  async #atEnd(): Promise<void> {
    const { signal } = this.#closing;
    // It may have been closed while a page was read.
    if (signal.aborted) return;
    const ended = Promise.withResolvers<void>();
    let scheduled = false;
    const slice = (): void => {
      scheduled = false;
      if (this.#follow !== undefined && this.#slice(this.#follow)) arrived();
    };
    const arrived = (): void => {
      if (scheduled) return;
      scheduled = true;
      setImmediate(slice);
    };
    this.#follow = this.#deps.reading.follow({ ...this.#place!, stream: this.#stream }, true, {
      arrived,
      interrupted: (fault) => this.#deps.failed(this.#stream.name, fault),
      ended: (fault) => {
        this.#follow = undefined;
        if (fault === undefined) ended.resolve();
        else ended.reject(fault);
      },
    });
    if (this.#follow === undefined) return pause(jittered(RETRY_MS), signal);
    arrived();
    const stop = (): void => ended.resolve();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await ended.promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** true: there is more to look at. */
  #slice(follow: Follow): boolean {
    const began = performance.now();
    let { at } = follow;
    if (at < follow.first) {
      // Cannot be: what it has not looked at is kept for it.
      throw new Error('the watch fell out of the ring');
    }
    while (at < follow.end && performance.now() - began < SLICE_MS) {
      const entry = follow.entry(at++);
      if (!entry.event.isCopy) this.#look(entry.event);
      this.#place = { ...this.#place!, next: entry.next };
    }
    if (at === follow.end) this.#place = { ...this.#place!, next: follow.passed };
    follow.looked(at);
    return at < follow.end;
  }

  #look(item: LoggedEvent | DamagedRecord): void {
    if (!('record' in item)) return;
    const { envelope } = item;
    const source = parseSource(envelope.source);
    const recordedMs = timeMsOf(envelope.recordedtime);
    if (source === undefined || source.kind === 'hub' || recordedMs === undefined) return;
    this.#seenMs = Math.max(this.#seenMs ?? 0, recordedMs);
    const { extensions } = envelope;
    const sent = extensions['waktuterkirim'];
    const unit = source.kind === 'unit' ? source.unit : source.party;
    this.#deps.book.see({
      source: envelope.source,
      unit,
      system: source.system,
      stream: item.stream,
      partition: item.partition,
      offset: item.record.offset,
      position: item.position,
      recordedMs,
      timeMs: timeMsOf(envelope.time),
      sentMs: sent === undefined ? undefined : timeMsOf(sent),
      number: numberIn(extensions['urutanunit']),
    });
    for (const expectation of this.#deps.expectationsOf(item.stream))
      if (expectation.type === item.type)
        this.#deps.book.report(expectation, { unit, type: item.type, day: this.#dayOf(item, expectation), recordedMs });
  }

  #dayOf(item: LoggedEvent, { day }: Expectation): string | undefined {
    if (day === undefined || item.levels(this.#deps.units) === undefined) return undefined;
    const value = item.as('full').data[day];
    return typeof value === 'string' ? value : undefined;
  }
}
