export { cursorValue, encodeCursor, encodeHiddenCursor, sealCursors, type CursorSeal } from './cursor-text.js';
export { cursorTopicId, decodeStreamCursor, encodeStreamCursor, type StreamCursor } from './cursor.js';
export { READ_BUDGET, type ReadBudget } from './budget.js';
export { eventText, type Encoding } from './event-text.js';
export { LARGE_BYTES } from './large.js';
export {
  DAMAGED,
  HUB,
  LoggedEvent,
  type EventFilter,
  type ReadEvent,
  type Reader,
  type RecordPlace,
} from './read-event.js';
export { idLine } from './live-message.js';
export type { LiveMember, LiveSink } from './live-member.js';
export { Follow, type FollowedEntry, type FollowListener } from './follow.js';
export { isIncomplete, type DamagedRecord, type EventLine, type EventPage } from './page.js';
export { offsetsOf } from './period.js';
export { PageText } from './page-text.js';
export { earliestHead, placeGone } from './partition-cursor.js';
export { Reading, type Beginning, type PartitionExtent, type ReadingDeps } from './reading.js';
export { offsetOutOfRange, type StreamRange } from './range.js';
export type { ReadingReport, TailLimits, TailPlace, TailUse } from './tails.js';
