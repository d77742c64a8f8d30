import type { LaneChange } from '../port.js';
import type { Entry } from './lane.js';
import type { Alarm, Effects, ItemResult } from './types.js';

/** Effects while they are collected, and what becomes of which entries when they are durable. */
export class Gathered<E> implements Effects {
  readonly changes: LaneChange[] = [];
  results: ItemResult[];
  readonly alarms: Alarm[] = [];
  pause?: string;
  disable?: true;
  /** Entries of which a row becomes durable. */
  readonly kept: Entry<E>[] = [];
  /** Entries whose rows are deleted. */
  readonly gone: Entry<E>[] = [];

  constructor(results: ItemResult[] = []) {
    this.results = results;
  }

  /** What was gathered earlier and is not handed out yet comes first: a row must not be written after its deletion. */
  putFirst(earlier: Gathered<E>): void {
    this.changes.unshift(...earlier.changes);
    this.alarms.unshift(...earlier.alarms);
    this.kept.unshift(...earlier.kept);
    this.gone.unshift(...earlier.gone);
    if (earlier.pause !== undefined) this.pause = earlier.pause;
  }

  get empty(): boolean {
    return this.changes.length === 0 && this.alarms.length === 0 && this.pause === undefined;
  }
}
