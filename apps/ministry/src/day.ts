import type { ToPublish } from '#sdk';
import type { Random } from './random.js';
import type { DayClock } from './clock.js';
import type { Subscriptions } from './subscriptions.js';
import type { Offices } from './offices.js';
import type { Tally } from './tally.js';

/** What all flows of the day share. */
export interface Day {
  readonly number: number;
  readonly scale: number;
  readonly clock: DayClock;
  readonly random: Random;
  readonly offices: Offices;
  readonly subscriptions: Subscriptions;
  readonly tally: Tally;
  readonly lists: BanLists;
  /** Stories that have to end before the day does, and what they could not do. */
  readonly stories: { running: number; readonly failed: (text: string) => void };
}

/** The copy of the ban list that each post keeps, by unit id of the post; names by ban number. */
export type BanLists = Map<string, { version: number; readonly names: Map<string, string> }>;

/** One part of the day. */
export interface Flow {
  readonly name: string;
  /** Plans tasks and adds subscriptions. Returns how many events the flow will publish in all. Called once, before the clock starts. */
  plan(): Promise<number> | number;
}

export const DAY_START = '05:30';
export const DAY_END = '16:10';

/** A field of event data as text; empty when it is something else. */
export const text = (v: unknown): string => (typeof v === 'string' ? v : '');
/** A field of event data as number; 0 when it is something else. */
export const whole = (v: unknown): number => (typeof v === 'number' ? v : 0);
/** A symbol that an office passes on: no event of the day has one that the contracts of this release do not know. */
export const known = <T>(symbol: T): ToPublish<T> => symbol as ToPublish<T>;
/** A case number. It contains the day, so that no two days use the same one. */
export const numbered = (kind: string, day: number, n: number): string =>
  `${kind}-2021-${day}-${String(n).padStart(4, '0')}`;
