import type { EventLog } from '../index.js';

/** How a child process opens the same log: a room by name, the function it exports, its one argument (JSON). */
export interface ChildLog {
  readonly module: string;
  readonly open: string;
  readonly options: unknown;
}

/** What the suite needs from an adapter. One harness serves the whole suite. */
export interface Harness {
  /** New clients on the same log, as another process would have them. The suite closes what it opens. */
  open(): Promise<EventLog>;
  /** A topic name never used before on this log. */
  newTopic(): string;
  /** How children open this log (kill and pause cases). */
  readonly child: ChildLog;
  /** Makes the engine compact soon. Absent: it does so by itself within 30 s. */
  compact?(topic: string): Promise<void>;
  /** Makes the engine drop expired records soon. Absent: it does so by itself within 30 s. */
  expire?(topic: string): Promise<void>;
  /** Stops the engine hard and starts it again (with `restarts: true`). */
  restart?(): Promise<void>;
  /** After the suite: remove what was made. */
  close(): Promise<void>;
}

export interface SuiteOptions {
  /** The harness has restart(). */
  readonly restarts?: boolean;
  /** How many children are killed in the kill case. @default 3 */
  readonly kills?: number;
}

/** What the parts of the suite share; filled in before the first case runs. */
export interface Bench {
  readonly harness: Harness;
  /** One opening for all cases that need no other. */
  readonly log: EventLog;
}
