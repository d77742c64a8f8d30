export { Claims, type ClaimsDeps, type ClaimsReport, type EpochsRaised, type EpochUnbelievable } from './claims.js';
export type { StuckTopic, TableReport, UnreadableRecord } from './damaged.js';
export { openJournal, type Journal, type JournalOptions } from './journal.js';
export {
  openOwnedTable,
  type OwnedChange,
  type OwnedTable,
  type OwnedTableOptions,
  type ParsedRow,
} from './owned-table.js';
export { openTable, type Change, type Decision, type Row, type Table, type TableOptions } from './table.js';
export { TopicTail, type TableLog } from './topic-tail.js';
