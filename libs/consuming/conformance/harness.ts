import type { EventToken } from '#sdk';
import type { EventSource } from '../port.js';

/** An event that was published: what a handler must see of it. */
export interface Published {
  readonly id: string;
  /** What the order is promised for: equal for events of one subject. */
  readonly subject: string;
}

/** What a handler does that never comes to an end: it ends the process (`process.exit`), or its promise stays open. */
export type Fate = 'exits' | 'hangs';

/** How a child process opens the source: a module, the function it exports, and the argument (JSON) of that function beside the group. */
export interface ChildSource {
  readonly module: string;
  readonly open: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What the suite needs of a source. One harness serves the whole suite. */
export interface SourceHarness {
  /** The type of the events that are published. */
  readonly token: EventToken;
  /** Publishes events of at most `subjects` subjects; resolves with them, in the order of each subject, when readers may see them. */
  publish(count: number, subjects: number): Promise<readonly Published[]>;
  /** Opens the source for a group that goes on at its place, or begins at the oldest event. Called again for a restart. */
  open(group: string): EventSource;
  /** How children open it: the exported function is called with `{ ...options, group }` and answers an EventSource. */
  readonly child: ChildSource;
  /** Removes the events up to now as retention does, so that a place in them does not exist any more. */
  expire?(): Promise<void>;
  /** Codes of the fault with which the source ends at such a place. */
  readonly gapCode?: string;
  close(): Promise<void>;
}

export interface SourceSuiteOptions {
  /** How many children are killed. @default 4; 100 in a campaign */
  readonly kills?: number;
  /** The harness has expire(). */
  readonly expires?: boolean;
  /** It keeps account of single events, and stores no places. */
  readonly keepsAccount?: boolean;
  /** Members of a group share its feeds. */
  readonly rebalances?: boolean;
  /** Longer than the source may be silent towards what it reads from, ms. @default 1,000 */
  readonly slowMs?: number;
}
