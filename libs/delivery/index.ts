export type {
  DeadLetter,
  DeliveryAttempt,
  DeskPlace,
  Desks,
  ListPage,
  Paging,
  ParkedSubject,
  ReaderReceipt,
  RedriveJob,
  RedriveOrder,
  SeekPreview,
  SeekTarget,
  Standing,
  SubscriptionDesk,
  SubscriptionList,
} from './desk-port.js';
export type { AttemptRow, CursorRow, HeldRow, LaneChange, LaneRow, ParkedRow, Place, RetryRow } from './port.js';
export { desksBy, openOwners, type OwnersOptions, type OwnersTable, type PartitionOwner } from './owners.js';
