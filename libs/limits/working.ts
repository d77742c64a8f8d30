import type { LimitOwner } from './owner.js';

/** CPU time that a unit, or a key of it, has had, moved up to the least of the others when it comes back: who was away has saved nothing. */
interface Used {
  /** ms */
  used: number;
  /** Turns that are waited for. */
  waiting: number;
}

/** The keys of one unit. Requests without a unit: those of one key. */
interface Unit extends Used {
  readonly name: string;
  readonly keys: Map<string, Worker>;
  /** CPU time of the key of this unit that was served last. */
  floor: number;
}

/** A turn that is waited for. */
interface Waiting {
  readonly begin: () => void;
  readonly isPaced: boolean;
}

/** A key that has long work. */
export interface Worker extends Used {
  readonly name: string;
  readonly unit: Unit;
  readonly limitOwner: LimitOwner;
  /** Requests that are worked on. */
  working: number;
  readonly turns: Waiting[];
  /** Requests that have not begun, the first one first. */
  readonly requests: Set<() => void>;
}

/**
 * Who has long work, and whose turn is next (a fair queue): the unit that has had the least CPU time, and in it the key that has. A unit makes as many keys as it
 * likes, so it has one part whatever their number.
 */
export class Working {
  readonly #units = new Map<string, Unit>();
  /** CPU time of the unit that was served last. */
  #floor = 0;
  #waiting = 0;

  /** Turns that are waited for. */
  get waiting(): number {
    return this.#waiting;
  }

  of(limitOwner: LimitOwner): Worker {
    const name = limitOwner.key ?? '';
    const unitName = limitOwner.unit ?? name;
    let unit = this.#units.get(unitName);
    if (unit === undefined) {
      unit = { name: unitName, keys: new Map(), used: this.#floor, floor: 0, waiting: 0 };
      this.#units.set(unitName, unit);
    }
    let worker = unit.keys.get(name);
    if (worker === undefined) {
      worker = { name, unit, limitOwner, used: unit.floor, working: 0, turns: [], waiting: 0, requests: new Set() };
      unit.keys.set(name, worker);
    }
    return worker;
  }

  wait({ limitOwner }: Worker, turn: Waiting): void {
    // A work that has ended, because another part of it failed, may ask once more: its key may be forgotten by then.
    const worker = this.of(limitOwner);
    const { unit, turns } = worker;
    turns.push(turn);
    if (unit.waiting++ === 0) unit.used = Math.max(unit.used, this.#floor);
    if (worker.waiting++ === 0) worker.used = Math.max(worker.used, unit.floor);
    this.#waiting++;
  }

  /** Takes the next turn out. There must be one that is waited for. */
  next(): { readonly worker: Worker; readonly turn: Waiting } {
    const unit = leastServed(this.#units.values())!;
    const worker = leastServed(unit.keys.values())!;
    this.#floor = unit.used;
    unit.floor = worker.used;
    unit.waiting--;
    worker.waiting--;
    this.#waiting--;
    return { worker, turn: worker.turns.shift()! };
  }

  charge(worker: Worker, ms: number): void {
    worker.used += ms;
    worker.unit.used += ms;
  }

  /** Forgets a key that has nothing to do. Another one may have its name by now: what a request does when its asker leaves comes later than that. */
  forget(worker: Worker): void {
    const { unit, name } = worker;
    const isDone = worker.working === 0 && worker.requests.size === 0 && worker.waiting === 0;
    if (!isDone || unit.keys.get(name) !== worker) return;
    unit.keys.delete(name);
    if (unit.keys.size === 0 && this.#units.get(unit.name) === unit) this.#units.delete(unit.name);
  }
}

/** The one that waits for a turn and has had the least CPU time. */
function leastServed<T extends Used>(all: Iterable<T>): T | undefined {
  let least: T | undefined;
  for (const one of all) if (one.waiting > 0 && (least === undefined || one.used < least.used)) least = one;
  return least;
}
