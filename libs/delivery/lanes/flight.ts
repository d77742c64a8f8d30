import type { LaneChange } from '../port.js';
import type { Entry } from './lane.js';
import type { Attempt } from './types.js';

/** An attempt, as the lanes that gave it know it. */
export class Flight<E> implements Attempt<E> {
  items: Entry<E>[];
  readonly try: number;
  readonly before: readonly LaneChange[];
  readonly probe: boolean;
  ended = false;

  constructor(items: Entry<E>[], before: readonly LaneChange[], probe: boolean) {
    this.items = items;
    this.try = items[0]!.tries + 1;
    this.before = before;
    this.probe = probe;
  }
}
