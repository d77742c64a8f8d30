import { jittered, pause } from '#concurrency';
import { Fault, isFault } from '#faults';
import type { LongWork } from '#limits';
import { offsetOutOfRange, type DamagedRecord, type EventPage, type LoggedEvent, type Reading } from '#reading';
import type { Wanting } from './follower.js';
import { Group } from './group.js';
import type { FeedStream, Holder, Link } from './link.js';
import type { Matches } from './matches.js';

type Page = EventPage<LoggedEvent | DamagedRecord>;

/** Two pages of each catch-up reader are in memory. What a short page holds is garbage before V8 moves it to its old generation. */
const PAGE = { limit: 250, scanRecords: 5_000, pageBytes: 2 * 1_048_576 };
/** Pages that it reads before the next one has its turn. */
const PAGES_A_GO = 4;
/** Followers that stand so near to each other are given the same pages. Records, over all partitions. */
const NEAR_RECORDS = 5_000n;
/** The end of the stream is followed from a little further on: until there is more to read. */
const ALMOST_MS = 50;

export interface PassDeps<W extends Wanting> {
  readonly makeMatches: () => Matches<W>;
  readonly reading: Pick<Reading, 'readLogged' | 'extent'>;
  readonly work: (unit: string) => LongWork;
  /** See Front.take. */
  readonly atFront: (link: Link<W>, atEnd: boolean) => boolean;
  /** A follower is full while others go on: it goes on by itself. */
  readonly leaves: (link: Link<W>, appendMs: number | undefined) => void;
  /** A pass that rested has work again. */
  readonly ready: (pass: Pass<W>) => void;
}

/**
 * A catch-up reader: it reads the pages of a stream for the followers that stand near one place, the next page while one is handed out, until they reach the end. It
 * runs when it is told to go.
 */
export class Pass<W extends Wanting> implements Holder<W> {
  readonly stream: FeedStream;
  readonly topicId: string;
  readonly unit: string;
  /** `resting`: nobody takes anything now. */
  state: 'waiting' | 'running' | 'resting' = 'waiting';
  readonly #deps: PassDeps<W>;
  readonly #group: Group<W>;
  /** By partition: everything below was looked at for the group. */
  #position: bigint[];
  /** They come in between two pages. */
  readonly #joining = new Set<Link<W>>();
  #page: { readonly page: Page; at: number } | undefined;
  #ahead: Promise<Page> | undefined;
  #appendMs: number | undefined;

  /** `appendMs`: append time of the next record of the follower, if it is known. */
  constructor(deps: PassDeps<W>, link: Link<W>, appendMs?: number) {
    this.#deps = deps;
    this.stream = link.stream;
    this.topicId = link.topicId;
    this.unit = link.follower.unit;
    this.#group = new Group(deps.makeMatches);
    this.#position = [...link.had];
    this.#appendMs = appendMs;
    this.#add(link);
  }

  get isEmpty(): boolean {
    return this.#group.size === 0 && this.#joining.size === 0;
  }

  get links(): readonly Link<W>[] {
    return [...this.#group.links, ...this.#joining];
  }

  get position(): readonly bigint[] {
    return this.#position;
  }

  /** Whether followers at this place are given the pages of this one. */
  isNear(topicId: string, next: readonly bigint[]): boolean {
    if (this.topicId !== topicId || this.state === 'resting') return false;
    let distance = 0n;
    for (const [p, at] of this.#position.entries()) distance += next[p]! > at ? next[p]! - at : at - next[p]!;
    return distance <= NEAR_RECORDS;
  }

  join(link: Link<W>): void {
    link.holder = this;
    this.#joining.add(link);
  }

  modeOf(): 'catch-up' {
    return 'catch-up';
  }

  scannedOf(link: Link<W>): readonly bigint[] {
    return this.#group.has(link) ? this.#position : link.had;
  }

  nextAppendMs(): number | undefined {
    return this.#appendMs;
  }

  resume(): void {
    if (this.state === 'resting') this.#deps.ready(this);
  }

  drop(link: Link<W>): void {
    this.#group.delete(link);
    this.#joining.delete(link);
    if (this.isEmpty) this.forget();
  }

  /** Lets go what was read ahead: it is read again. */
  forget(): void {
    this.#page = undefined;
    this.#ahead = undefined;
  }

  /** Reads and hands out some pages. Faults of the log; see failed(). */
  async go(): Promise<void> {
    this.state = 'running';
    for (let pages = 0; pages < PAGES_A_GO && !this.isEmpty; pages++) {
      if (this.#page === undefined) {
        this.#letIn();
        this.#page = { page: await this.#next(), at: 0 };
        const { next, stopped } = this.#page.page;
        if (stopped === 'full' || stopped === 'scan_budget') this.#ahead = this.#read(next);
      }
      const current = this.#page;
      if (!(await this.#handOut(current))) return;
      // Everybody has left, or it was let go meanwhile.
      if (this.#page !== current) continue;
      this.#page = undefined;
      await this.#passPage(current.page);
    }
    this.state = 'waiting';
  }

  /** Interrupts the followers that a fault of go() is about: true if there are such. Faults of the log. */
  async failed(fault: unknown): Promise<boolean> {
    this.forget();
    this.state = 'waiting';
    this.#letIn();
    const before = this.#group.size;
    if (!isFault(fault)) return false;
    if (fault.code === 'stream_recreated') for (const link of this.links) link.interrupt(fault);
    if (fault.code !== 'offset_out_of_range' && fault.code !== 'unknown_cursor') return this.isEmpty;
    const kept = await this.#deps.reading.extent(this.stream);
    this.#letIn();
    for (const link of this.#group.links) {
      const { scanned } = link;
      const gone = kept.find(({ partition, low }) => scanned[partition]! < low);
      if (gone !== undefined) link.interrupt(offsetOutOfRange(this.stream.name, gone.partition, gone.low));
      else if (kept.some(({ partition, high }) => scanned[partition]! > high))
        link.interrupt(new Fault('unknown_cursor'));
    }
    this.#moveTo(this.#group.links);
    return this.#group.size < before;
  }

  #add(link: Link<W>): void {
    link.holder = this;
    this.#group.add(link);
  }

  /** Those who come are given pages from where the last of all stands. */
  #letIn(): void {
    if (this.#joining.size === 0) return;
    const coming = [...this.#joining];
    this.#joining.clear();
    for (const link of this.#group.links) link.passed(this.#position);
    // The position is that of the others until then.
    this.#moveTo([...this.#group.links, ...coming]);
    for (const link of coming) this.#add(link);
    this.forget();
  }

  #moveTo(links: readonly Link<W>[]): void {
    for (const link of this.#group.links) link.passed(this.#position);
    if (links.length === 0) return;
    this.#position = this.#position.map((_, p) => links.map(({ had }) => had[p]!).reduce((a, b) => (a < b ? a : b)));
  }

  #next(): Promise<Page> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead ?? this.#read(this.#position);
  }

  #read(next: readonly bigint[]): Promise<Page> {
    const { stream, topicId } = this;
    const work = this.#deps.work(this.unit);
    const page = this.#deps.reading.readLogged(
      { stream, topicId, next: [...next] },
      (type) => this.#group.wants(type),
      { ...PAGE, work },
    );
    // One that was read ahead may fail before it is awaited.
    page.catch(() => undefined);
    return page;
  }

  /** false: everybody is full; it rests, and the page is kept. */
  #handOut(current: { readonly page: Page; at: number }): Promise<boolean> {
    const { events } = current.page;
    return this.#deps.work(this.unit).run(async (turn) => {
      while (current.at < events.length && this.#page === current) {
        if (turn.isOver) {
          await turn.next();
          continue;
        }
        const item = events[current.at]!;
        const isEvent = 'record' in item;
        if (isEvent) this.#appendMs = item.record.appendTimeMs;
        const full: Link<W>[] = [];
        if (isEvent) this.#group.deliver(item, (link) => full.push(link));
        else this.#group.damaged(item.position, item.partition, item.offset);
        if (full.length > 0 && full.length === this.#group.size) {
          if (full.some((link) => link.follower.room > 0)) continue;
          // Before anything is awaited: a follower may have room in a moment.
          this.state = 'resting';
          return false;
        }
        for (const link of full) this.#letGo(link);
        if (this.#page !== current) return true;
        current.at++;
        this.#position[item.partition] = (isEvent ? item.record.offset : item.offset) + 1n;
      }
      return true;
    });
  }

  #letGo(link: Link<W>): void {
    if (!this.#group.has(link)) return;
    link.passed(this.#position);
    this.#group.delete(link);
    this.#deps.leaves(link, this.#appendMs);
  }

  /** The page is handed out: those who can go to the end of the stream do. */
  async #passPage({ next, stopped, events }: Page): Promise<void> {
    const hasMoved = events.length > 0 || next.some((offset, p) => offset > this.#position[p]!);
    this.#position = [...next];
    const atEnd = stopped === 'end' || stopped === 'unsettled';
    for (const link of this.#group.links) {
      if (!this.#deps.atFront(link, atEnd)) break;
      this.#group.delete(link);
    }
    if (atEnd && !hasMoved && !this.isEmpty) await pause(jittered(ALMOST_MS));
  }
}
