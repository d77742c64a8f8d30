export { cursorValue, encodeCursor } from './cursor-text.js';
export { decodeStreamCursor, encodeStreamCursor, type StreamCursor } from './cursor.js';
export { offsetsOf } from './period.js';
export type { Encoding, EventFilter } from './shown.js';
export {
  StreamReader,
  type PageAsk,
  type ShownEvent,
  type StreamPage,
  type StreamReaderDeps,
} from './stream-reader.js';
