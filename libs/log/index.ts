export { Appender, type AppenderOptions, type AppendOptions } from './appender.js';
export { assignPartitions } from './assignment.js';
export { claimPartitions, OWNERS_SPEC, type ClaimRequest } from './claim.js';
export { headerNameBytes } from './header-names.js';
export {
  checkPlace,
  confirmsPlace,
  epochOf,
  isBeginning,
  placeProof,
  proofAt,
  proofBehindHole,
  proofOfBeginning,
  type PlaceCheck,
} from './place-proof.js';
export { PartitionLoop, type PartitionLoopDeps, type PartitionReport } from './partition-loop.js';
export {
  COPIES_TOPIC,
  isControlTopic,
  MAX_APPEND_BYTES,
  MAX_APPEND_RECORDS,
  MAX_RECORD_BYTES,
  OWNERS_TOPIC,
  TEST_EVENTS,
  type AppendOutcome,
  type AppendRefusal,
  type AssignedPartition,
  type DescribeLimits,
  type EventLog,
  type GroupMember,
  type Interruption,
  type LogRecord,
  type Membership,
  type NewRecord,
  type OutOfRange,
  type PartitionRange,
  type ReadAnswer,
  type ReadLimits,
  type Reclaimed,
  type RecordBatch,
  type Recreated,
  type StartPlace,
  type TopicSpec,
  type Truncated,
  type WriteOutcome,
  type Writer,
} from './port.js';
export { bytesOf, fitsOneAppend, RECORD_HEAD_BYTES, tooLarge } from './size.js';
export { isSealBroken, SEAL_HEADER, sealed } from './seal.js';
