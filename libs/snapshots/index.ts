export { readSnapshot, readTail, type SnapshotFlaw, type SnapshotLog, type SnapshotTail } from './read.js';
export { isOlderVersion } from './record.js';
export type { SnapshotChange, SnapshotKey, SnapshotProgress, StreamPlace } from './record.js';
export { snapshotTopic, snapshotTopics, snapshotTopicSpec } from './topic.js';
export { goOnAfter, SnapshotWriter, type SnapshotStep, type SnapshotWriterDeps } from './writer.js';
