export { cursorValue, encodeCursor } from './cursor-text.js';
export { decodeStreamCursor, encodeStreamCursor, type StreamCursor } from './cursor.js';
export { READ_BUDGET, type ReadBudget } from './budget.js';
export { eventText, type Encoding } from './event-text.js';
export { HUB, type EventFilter, type ReadEvent, type Reader } from './read-event.js';
export { isIncomplete, type EventPage, type EventText } from './page.js';
export { Reading, type Beginning, type PartitionExtent, type ReadingDeps } from './reading.js';
export type { StreamRange } from './range.js';
