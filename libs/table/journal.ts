import type { AppendOutcome, TopicSpec } from '#log';
import type { TableReport } from './damaged.js';
import { TopicAppends } from './topic-appends.js';
import { TopicTail, type TableLog } from './topic-tail.js';

export interface JournalOptions<R> {
  readonly log: TableLog;
  /** Created when it does not exist. `keep`; with `keyOf` also `compact`. */
  readonly topic: TopicSpec;
  /** The partition of the topic that this journal is. @default 0 */
  readonly partition?: number;
  /**
   * Key of a row. Compaction keeps the last row of a key, so a later row of a key must say all that the earlier ones said, and a row that is read again
   * must do no harm.
   */
  readonly keyOf?: (row: R) => string;
  /** A throw says that the record cannot be read: it is counted (`bad`), left out and reported. `key` is empty without `keyOf`. */
  readonly parse: (value: Buffer, key: string) => R;
  readonly serialise: (row: R) => Buffer;
  /** Called once for each record in log order, whichever process wrote it. `topicId`: see EventLog.topicId. */
  readonly onRow: (row: R, topicId: string) => void;
  /**
   * The topic was made again, or has lost rows that were read, and is read from its beginning: it may lack rows that this process knows. Called before its first row.
   */
  readonly onAnew?: () => void;
  readonly report?: TableReport | undefined;
}

/** A control topic to which every process appends rows; all rows count, and no row replaces another. */
export interface Journal<R> {
  /** Records that could not be parsed. */
  readonly bad: number;
  /** See EventLog.topicId: of the topic whose rows were given last. */
  readonly topicId: string;
  /**
   * Appends one row. Concurrent calls share an append (coalesced); each row has its own outcome. Never throws for I/O. `onRow` is called when the row has been
   * read back, so never for a row that was not written; refresh() waits for that.
   */
  append(row: R): Promise<AppendOutcome>;
  /** Reads what was written until now. Fault `log_unavailable`. */
  refresh(): Promise<void>;
  /** Waits for appends in flight. */
  close(): Promise<void>;
}

/** Opens a journal: loads what the topic holds, then follows it. Fault `log_unavailable`. */
export async function openJournal<R>(options: JournalOptions<R>): Promise<Journal<R>> {
  const { log, topic, partition, keyOf, parse, serialise, onRow, onAnew, report } = options;
  let closed = false;
  const appends = new TopicAppends(log, topic.name, partition);
  const tail: TopicTail<{ row: R }> = new TopicTail({
    log,
    topic,
    partition,
    parse: ({ key, value }) => ({ row: parse(value ?? Buffer.alloc(0), key?.toString() ?? '') }),
    apply: ({ row }) => onRow(row, tail.topicId!),
    onBad: ({ key, offset }, cause) =>
      report?.unreadable?.({ topic: topic.name, key: key?.toString() ?? '', offset, cause }),
    // A row without a key must never count twice, so rows that a recreated topic already has are skipped until the next start.
    onReset: (range) => {
      onAnew?.();
      return keyOf ? range.low : range.high;
    },
    report,
  });
  await tail.open();
  return {
    get bad() {
      return tail.bad;
    },
    get topicId() {
      return tail.topicId!;
    },
    append: async (row) =>
      closed
        ? { kind: 'refused', code: 'log_unavailable' }
        : appends.append([{ key: keyOf ? Buffer.from(keyOf(row)) : null, value: serialise(row), headers: [] }]),
    refresh: () => tail.refresh(),
    async close() {
      closed = true;
      await appends.idle();
      await tail.close();
    },
  };
}
