/** A parked event, and how many wait behind it. */
export interface Parked {
  readonly feed: string;
  readonly position: string;
  readonly type: string;
  readonly attempts: number;
  readonly waiting: number;
}

export interface FeedStatus {
  readonly feed: string;
  /** Events that are not finished. */
  readonly open: number;
  readonly working: number;
  /** Parked events with those that wait behind them. */
  readonly parked: number;
}

export interface ConsumerStatus {
  readonly state: 'new' | 'running' | 'stopping' | 'stopped' | 'failed';
  readonly fault?: unknown;
  readonly feeds: readonly FeedStatus[];
  /** Events that were finished in this process. */
  readonly finished: number;
}
