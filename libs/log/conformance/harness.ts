import type { EventLog } from '../index.js';

/** How a child process opens the same log: a room by name, the function it exports, its one argument (JSON). */
export interface ChildLog {
  readonly module: string;
  readonly open: string;
  readonly options: unknown;
}

/** What the suite needs of an adapter. One harness serves the whole suite. */
export interface Harness {
  /** Opens the log once more, with clients of its own, as another process does. The suite closes what it opens. */
  open(): Promise<EventLog>;
  /** A topic name never used before on this log. */
  newTopic(): string;
  /** How children open this log (kill and pause cases). */
  readonly child: ChildLog;
  /** Makes the engine compact the topic soon. Absent: it does so by itself within 30 s. */
  compact?(topic: string): Promise<void>;
  /** Makes the engine drop expired records soon. Absent: it does so by itself within 30 s. */
  expire?(topic: string): Promise<void>;
  /** Lowers what the topic takes in one batch, in bytes, without this log's knowledge. Absent: the engine has no limit of a topic. */
  lowerLimit?(topic: string, bytes: number): Promise<void>;
  /** Kills the engine and starts it again; needed with `restarts: true`. */
  restart?(): Promise<void>;
  /** Called after the suite: removes what the harness made. */
  close(): Promise<void>;
}

export interface SuiteOptions {
  /** The harness has restart(). */
  readonly restarts?: boolean;
  /** How many children are killed in the kill case. @default 3 */
  readonly kills?: number;
}

/** What the parts of the suite share; ready before the first case runs. */
export interface Bench {
  readonly harness: Harness;
  /** The opening that all cases share, unless they need one of their own. */
  readonly log: EventLog;
}
