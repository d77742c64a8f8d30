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

  get empty(): boolean {
    return this.changes.length === 0 && this.alarms.length === 0 && this.pause === undefined;
  }
}
