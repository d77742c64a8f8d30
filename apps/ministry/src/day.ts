import type { Chance } from './chance.js';
import type { DayClock } from './clock.js';
import type { Ear } from './ear.js';
import type { Offices } from './offices.js';
import type { Tally } from './tally.js';

/** What every flow of the day shares. */
export interface Day {
  readonly number: number;
  readonly scale: number;
  readonly clock: DayClock;
  readonly chance: Chance;
  readonly offices: Offices;
  readonly ear: Ear;
  readonly tally: Tally;
  readonly lists: BanLists;
}

/** What each post keeps of the ban list. */
export type BanLists = Map<string, { version: number; readonly names: Map<string, string> }>;

/** A flow plans its part of the day, listens to what it needs, and says how many events it will publish in all. */
export interface Flow {
  readonly name: string;
  /** Called once, before the day begins. */
  plan(): Promise<number> | number;
}

export const DAY_START = '05:30';
export const DAY_END = '16:10';

export const text = (v: unknown): string => (typeof v === 'string' ? v : '');
export const whole = (v: unknown): number => (typeof v === 'number' ? v : 0);
/** Case numbers carry the day, so that each day has its own. */
export const numbered = (kind: string, day: number, n: number): string =>
  `${kind}-2021-${day}-${String(n).padStart(4, '0')}`;
