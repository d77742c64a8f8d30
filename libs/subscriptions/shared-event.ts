import type { Caller, EventLevels, ReadLevel } from '#access';
import type { LoggedEvent, ReadEvent } from '#reading';
import type { Units } from '#units';
import type { UnitChoice } from './unit-choice.js';

/**
 * One event for any number of subscriptions: what owners may see of it, how each level sees it, and which units it concerns, each worked out once. Holds the unit
 * tree of the moment in which it was made, as EventLevels does: make it anew each time that the event is looked at.
 */
export class SharedEvent {
  readonly event: LoggedEvent;
  readonly #levels: Pick<EventLevels, 'of' | 'among'>;
  readonly #units: Units;
  readonly #byOwner = new Map<string, ReadLevel>();
  readonly #seen: Partial<Record<ReadEvent['level'], ReadEvent>> = {};
  readonly #concerned = new Map<string, boolean>();

  private constructor(event: LoggedEvent, levels: Pick<EventLevels, 'of' | 'among'>, units: Units) {
    this.event = event;
    this.#levels = levels;
    this.#units = units;
  }

  /** undefined: its data cannot be decoded (damaged). */
  static of(event: LoggedEvent, units: Units): SharedEvent | undefined {
    const levels = event.levels(units);
    return levels === undefined ? undefined : new SharedEvent(event, levels, units);
  }

  /** How much the owner of a subscription may see of it (R12). */
  levelOf(owner: Caller): ReadLevel {
    let level = this.#byOwner.get(owner.owner);
    if (level === undefined) this.#byOwner.set(owner.owner, (level = this.#levels.of(owner)));
    return level;
  }

  /** Of what belongs to owners: see EventLevels.among. */
  among<T>(byOwner: ReadonlyMap<string, T>): IterableIterator<[owner: string, T]> {
    return this.#levels.among(byOwner);
  }

  as(level: ReadEvent['level']): ReadEvent {
    return (this.#seen[level] ??= this.event.as(level));
  }

  concerns(choice: UnitChoice, level: ReadEvent['level']): boolean {
    const key = `${level} ${choice.key}`;
    let concerned = this.#concerned.get(key);
    if (concerned === undefined) this.#concerned.set(key, (concerned = choice.concerns(this.as(level), this.#units)));
    return concerned;
  }
}
