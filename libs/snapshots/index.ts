export { readSnapshot, readTail, type SnapshotFlaw, type SnapshotLog, type SnapshotTail } from './read.js';
export type { SnapshotChange, SnapshotProgress, StreamPlace } from './record.js';
export { snapshotTopic, snapshotTopicSpec } from './topic.js';
export { SnapshotWriter, type SnapshotStep, type SnapshotWriterDeps } from './writer.js';
