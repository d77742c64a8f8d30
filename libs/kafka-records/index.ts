export { ByteReader, ByteWriter, unsignedSize } from './bytes.js';
export { CodecMissing, decompress, type Unbounded } from './decompress.js';
export {
  beginOf,
  endOf,
  epochBefore,
  takeRecords,
  type AbortedTransaction,
  type Codecs,
  type FetchedBatches,
  type FetchPlace,
  type UnreadableBatch,
} from './fetched-records.js';
export { batchBytes, encodeBatch } from './record-batch.js';
