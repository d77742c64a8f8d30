/** A record of a control topic that cannot be read. `key` is empty in a topic without keys. */
export interface UnreadableRecord {
  readonly topic: string;
  readonly key: string;
  readonly offset: bigint;
  readonly cause: unknown;
}

/** A control topic, or a partition of it, that cannot be read on. */
export interface StuckTopic {
  readonly topic: string;
  readonly partition: number;
  readonly cause: unknown;
}

/** What a table reports. */
export interface TableReport {
  /**
   * A record could not be read, so its key has no row, whatever row it had before: a damaged record must not leave an older one in force. Called once for each
   * such record that is read, also while the table is loaded. Alarm: only an operator can repair it.
   */
  readonly unreadable?: (record: UnreadableRecord) => void;
  /**
   * The topic cannot be read on, although the log answers: a batch cannot be read, the topic is gone, or a fenced table was made again. What the table shows
   * grows old. Called at each try, every half second. Alarm.
   */
  readonly stuck?: (at: StuckTopic) => void;
  /** After stuck(): the topic is read on. */
  readonly followed?: (at: Omit<StuckTopic, 'cause'>) => void;
}
