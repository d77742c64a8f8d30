import { isFault } from '#faults';
import type { Follow, FollowedEntry, FollowListener, TailPlace } from '#reading';
import type { FeedStream, Holder, Link } from './link.js';
import { Group } from './group.js';
import type { Matches } from './matches.js';
import type { Wanting } from './follower.js';

/** Longest time of one go; then others have the event loop (R16.5). */
const SLICE_MS = 3;
/** Of it, what the shared place may take while followers come back to it. */
const SHARED_MS = 2;

export interface FrontDeps<W extends Wanting> {
  readonly makeMatches: () => Matches<W>;
  readonly follow: (place: TailPlace, atEnd: boolean, listener: FollowListener) => Follow | undefined;
  /** The follower is behind what is kept of the end of the stream, or the end is not followed any more. */
  readonly behind: (links: readonly Link<W>[]) => void;
  readonly interrupted: (fault: unknown) => void;
}

/** Where a follower stands that has left the shared place. */
interface Aside<W extends Wanting> {
  /** Sequence of the entry that it takes next. */
  at: number;
  full: boolean;
  /** Made when it first comes back. */
  alone?: Group<W>;
}

/**
 * The followers at the end of one stream. They share a place: an entry is looked at once for all of them. One that is full leaves it, and comes back through the
 * entries that are kept, by itself.
 */
export class Front<W extends Wanting> implements Holder<W> {
  readonly #deps: FrontDeps<W>;
  readonly #stream: FeedStream;
  readonly #group: Group<W>;
  readonly #aside = new Map<Link<W>, Aside<W>>();
  #follow: Follow | undefined;
  #topicId = '';
  /** Sequence of the entry that the shared place takes next. */
  #at = 0;
  /** By partition: everything below was looked at for the shared place. */
  #passed: readonly bigint[];
  #scheduled = false;

  constructor(deps: FrontDeps<W>, stream: FeedStream) {
    this.#deps = deps;
    this.#stream = stream;
    this.#group = new Group(deps.makeMatches);
    this.#passed = this.#nowhere();
  }

  /** By partition: everything below was read at the end of the stream. */
  get end(): readonly bigint[] {
    return this.#follow?.passed ?? this.#passed;
  }

  /** Takes a follower where it stands. `atEnd`: it has read up to the end. false: it must read on by pages. */
  take(link: Link<W>, atEnd: boolean): boolean {
    const { topicId, scanned: next } = link;
    if (this.#follow === undefined || this.#topicId !== topicId) {
      if (this.#follow !== undefined && !atEnd) return false;
      // Ends the one of another topic of this name.
      if (!this.#open({ stream: this.#stream, topicId, next }, atEnd)) return false;
    }
    const at = this.#follow!.find(next);
    if (at === undefined) {
      this.#leaveIfIdle();
      return false;
    }
    link.passed(next);
    link.holder = this;
    if (at >= this.#at) this.#group.add(link);
    else {
      this.#aside.set(link, { at, full: false });
      this.#schedule();
    }
    return true;
  }

  modeOf(link: Link<W>): 'live' | 'catch-up' {
    const aside = this.#aside.get(link);
    return aside !== undefined && aside.at < (this.#follow?.first ?? 0) ? 'catch-up' : 'live';
  }

  scannedOf(link: Link<W>): readonly bigint[] {
    return this.#group.has(link) ? this.#passed : this.#nowhere();
  }

  nextAppendMs(link: Link<W>): number | undefined {
    const follow = this.#follow;
    const at = this.#aside.get(link)?.at ?? this.#at;
    if (follow === undefined || at >= follow.end || at < follow.first) return undefined;
    return follow.entry(at).appendTimeMs;
  }

  resume(link: Link<W>): void {
    const aside = this.#aside.get(link);
    if (aside?.full !== true) return;
    aside.full = false;
    this.#schedule();
  }

  drop(link: Link<W>): void {
    this.#group.delete(link);
    this.#aside.delete(link);
    this.#leaveIfIdle();
  }

  close(): void {
    this.#follow?.leave();
    this.#follow = undefined;
  }

  #open(place: TailPlace, atEnd: boolean): boolean {
    let own: Follow | undefined;
    const follow = this.#deps.follow(place, atEnd, {
      arrived: () => {
        if (own !== undefined && own === this.#follow) this.#schedule();
      },
      interrupted: (fault) => this.#deps.interrupted(fault),
      ended: (fault) => {
        if (own !== undefined && own === this.#follow) this.#ended(fault);
      },
    });
    own = follow;
    if (follow === undefined) return false;
    this.#follow = follow;
    this.#topicId = place.topicId;
    this.#at = follow.at;
    this.#passed = this.#nowhere();
    return true;
  }

  #ended(fault: unknown): void {
    this.#follow = undefined;
    const links = [...this.#group.links, ...this.#aside.keys()];
    for (const link of links) {
      link.passed(link.scanned);
      this.#group.delete(link);
    }
    this.#aside.clear();
    const isLost = isFault(fault) && (fault.code === 'stream_recreated' || fault.code === 'unknown_cursor');
    if (isLost) for (const link of links) link.interrupt(fault);
    else this.#deps.behind(links);
  }

  #schedule(): void {
    if (this.#scheduled || this.#follow === undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const follow = this.#follow;
      if (follow !== undefined && this.#slice(follow)) this.#schedule();
    });
  }

  /** true: there is more to do now. */
  #slice(follow: Follow): boolean {
    const began = performance.now();
    const isOpen = (): boolean => this.#follow === follow;
    const returning = [...this.#aside].filter(([, { full }]) => !full);
    const sharedMs = returning.length > 0 ? SHARED_MS : SLICE_MS;
    while (isOpen() && this.#at < follow.end && performance.now() - began < sharedMs) this.#share(follow);
    for (const [link, aside] of returning) {
      if (performance.now() - began >= SLICE_MS) break;
      while (isOpen() && this.#aside.get(link) === aside && this.#isReturning(follow, link, aside))
        if (performance.now() - began >= SLICE_MS) break;
    }
    if (!isOpen()) return false;
    if (this.#at === follow.end) this.#passed = follow.passed;
    follow.looked(this.#at);
    this.#leaveIfIdle();
    return this.#at < follow.end || [...this.#aside.values()].some(({ full }) => !full);
  }

  #share(follow: Follow): void {
    const entry = follow.entry(this.#at);
    this.#group.deliver(entry.event, (link) => {
      link.passed(before(entry));
      this.#group.delete(link);
      this.#aside.set(link, { at: this.#at, full: true });
    });
    if (this.#follow !== follow) return;
    this.#at++;
    this.#passed = entry.next;
  }

  /** Takes one step of a follower on its way back. false: it has ended. */
  #isReturning(follow: Follow, link: Link<W>, aside: Aside<W>): boolean {
    if (aside.at >= this.#at) {
      link.passed(this.#passed);
      this.#aside.delete(link);
      this.#group.add(link);
      return false;
    }
    if (aside.at < follow.first) {
      this.#aside.delete(link);
      this.#deps.behind([link]);
      return false;
    }
    const entry = follow.entry(aside.at);
    if (aside.alone === undefined) (aside.alone = new Group(this.#deps.makeMatches)).add(link);
    aside.alone.deliver(entry.event, () => {
      link.passed(before(entry));
      aside.full = true;
    });
    if (aside.full || this.#aside.get(link) !== aside) return false;
    aside.at++;
    return true;
  }

  #leaveIfIdle(): void {
    if (this.#group.size > 0 || this.#aside.size > 0) return;
    this.#follow?.leave();
    this.#follow = undefined;
  }

  #nowhere(): readonly bigint[] {
    return Array.from({ length: this.#stream.partitions }, () => 0n);
  }
}

/** By partition: everything before an entry. */
const before = (entry: FollowedEntry): readonly bigint[] => entry.next.with(entry.partition, entry.offset);
