/** A record of a control topic that cannot be read. `key` is empty in a topic without keys. */
export interface UnreadableRecord {
  readonly topic: string;
  readonly key: string;
  readonly offset: bigint;
  readonly cause: unknown;
}

/** What a table reports. */
export interface TableReport {
  /**
   * A record could not be read, so its key has no row, whatever row it had before: a damaged record must not leave an older one in force. Called once for each
   * such record that is read, also while the table is loaded. Alarm: only an operator can repair it.
   */
  readonly unreadable?: (record: UnreadableRecord) => void;
}
