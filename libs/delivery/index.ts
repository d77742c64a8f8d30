export { AttemptStream, type AttemptsPage, type AttemptsWish, type RecordedAttempt } from './courier/attempt-stream.js';
export { ATTEMPTS_SPEC } from './courier/attempts.js';
export { Courier, COURIER_GROUP, type CourierDeps, type CourierReport } from './courier/courier.js';
export { Hosts, MAX_AT_HOST } from './courier/hosts.js';
export { PullMemory } from './pull/memory.js';
export { PartitionDesk, type DeskDeps } from './courier/partition-desk.js';
export type { Push, Sending } from './courier/push.js';
export type { DeliveryReport } from './courier/report.js';
export { SubscriptionTables } from './courier/subscription-tables.js';
export { LANES_TOPIC } from './courier/tables.js';
export type {
  DeadLetter,
  DeliveryAttempt,
  DeskPlace,
  Desks,
  Lag,
  ListPage,
  Paging,
  ParkedSubject,
  ReaderReceipt,
  RedriveJob,
  RedriveOrder,
  RotatedSecret,
  SeekPreview,
  SeekTarget,
  Skipped,
  Standing,
  SubscriptionDesk,
  SubscriptionList,
  Taken,
} from './desk-port.js';
export { Feed, type FeedDeps, type FeedUse } from './feed/feed.js';
export type { Attachment, FeedPlace, Follower, Wanting } from './feed/follower.js';
export type { AttemptRow, CursorRow, HeldRow, LaneChange, LaneRow, ParkedRow, Place, RetryRow } from './port.js';
export { desksBy, openOwners, type OwnersOptions, type OwnersTable, type PartitionOwner } from './owners.js';
export { leaseKey } from './pull/lease-token.js';
export { MOST_LEASE_MS } from './pull/lease-mark.js';
export type { CommitOutcome, Pulled, PullWish } from './pull/leases.js';
export type { LiveEvents, LiveReader } from './pull/live.js';
