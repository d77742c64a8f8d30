import { Fault } from '#faults';
import type { LoggedEvent } from '#reading';
import type { Wanting } from './follower.js';
import type { Link } from './link.js';
import type { Matches } from './matches.js';

/** Followers that are given the same events. */
export class Group<W extends Wanting> {
  readonly #make: () => Matches<W>;
  readonly #matches: Matches<W>;
  readonly #links = new Map<string, Link<W>>();

  constructor(make: () => Matches<W>) {
    this.#make = make;
    this.#matches = make();
  }

  get size(): number {
    return this.#links.size;
  }

  get links(): readonly Link<W>[] {
    return [...this.#links.values()];
  }

  has(link: Link<W>): boolean {
    return this.#links.get(link.id) === link;
  }

  add(link: Link<W>): void {
    this.#links.set(link.id, link);
    this.#matches.add(link.follower.subscription);
  }

  delete(link: Link<W>): void {
    if (!this.has(link)) return;
    this.#links.delete(link.id);
    this.#matches.remove(link.id);
  }

  wants(type: string): boolean {
    return this.#matches.wants(type);
  }

  /**
   * Offers an event to those to whom it is due and that have not had it. `full` is called for those that take nothing now; they have not had it, and must leave the
   * group before the next event.
   */
  deliver(event: LoggedEvent, full: (link: Link<W>) => void): void {
    if (event.isCopy || !this.#matches.wants(event.type)) return;
    const { partition, record } = event;
    const { offset } = record;
    const due = this.#dueOf(event);
    if (due === undefined) {
      this.damaged(event.position, partition, offset, event.type);
      return;
    }
    for (const { subscription, event: seen } of due) {
      const link = this.#links.get(subscription);
      if (link === undefined || link.has(partition, offset)) continue;
      if (link.follower.room <= 0) full(link);
      else link.give(partition, offset, (follower) => follower.offer(seen));
    }
  }

  /** Tells of a record that cannot be read. `type`: only those that want events of this type. */
  damaged(position: string, partition: number, offset: bigint, type?: string): void {
    for (const link of this.links) {
      if (!this.has(link) || link.has(partition, offset)) continue;
      if (type !== undefined && !link.follower.subscription.wants(type)) continue;
      link.give(partition, offset, (follower) => follower.damaged(position));
    }
  }

  #dueOf(event: LoggedEvent): ReturnType<Matches<W>['due']> {
    try {
      return this.#matches.due(event);
    } catch {
      return this.#dueOneByOne(event);
    }
  }

  /** The subscription that cannot be matched stands still before the event; the others do not wait for it. */
  #dueOneByOne(event: LoggedEvent): ReturnType<Matches<W>['due']> {
    const due: { readonly subscription: string; readonly event: ReturnType<LoggedEvent['as']> }[] = [];
    for (const link of this.links) {
      if (link.has(event.partition, event.record.offset)) continue;
      const alone = this.#make();
      alone.add(link.follower.subscription);
      try {
        const own = alone.due(event);
        if (own === undefined) return undefined;
        due.push(...own);
      } catch (cause) {
        link.interrupt(new Fault('internal', { cause }));
      }
    }
    return due;
  }
}
