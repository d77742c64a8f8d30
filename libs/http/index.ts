export { HTTP_LIMITS, openHttp, type EdgeParts, type HttpOptions, type HttpServer } from './open.js';
export { CLOSING, EDGE } from './tokens.js';
export type { Door, Edge, HttpLimits, HttpReport, Logger, ProblemDocument, RouteConfig } from './types.js';
export type { DoorProfile, ProfileLimits, SessionCookie } from './profile.js';
export { Guesses } from './doors/guesses.js';
export { decodeCursor, encodeCursor } from './cursor.js';
export { languageOf, problemOf, PROBLEM_TYPE, type Language } from './problem.js';
export { mediaType, pointer } from './read-input.js';
export { statusOf } from './status.js';
export { formatEvent, type Sse, type SseEvent, type SseOptions } from './sse.js';
export { openapiOf } from './openapi.js';
export {
  HEALTH_DOOR,
  HealthController,
  type DoorHealth,
  type HealthDoorDeps,
  type ViewHealth,
} from './doors/health.js';
export { KEYS_DOOR, KeysController, type KeysDoorDeps } from './doors/keys.js';
export { RECEIPTS_DOOR, ReceiptsController, type ReceiptsDoorDeps } from './doors/receipts.js';
export { REFUSALS_DOOR, RefusalsController, type RefusalsDoorDeps } from './doors/refusals.js';
export { STREAMS_DOOR, StreamsController, type StreamsDoorDeps } from './doors/streams.js';
export { TYPES_DOOR, TypesController, type TypesDoorDeps } from './doors/types.js';
export { UNITS_DOOR, UnitsController, type UnitsDoorDeps } from './doors/units.js';
export {
  DEAD_LETTERS_DOOR,
  DeadLettersController,
  rolesBeyond,
  type DeadLettersDoorDeps,
} from './doors/dead-letters.js';
export { CONFLICTS_DOOR, ConflictsController, type ConflictsDoorDeps } from './doors/conflicts.js';
export { VIEWS_DOOR, ViewsController, type ViewsDoorDeps } from './doors/views.js';
export { WATCH_DOOR, WatchController, type WatchDoorDeps, type WatchFinding } from './doors/watch.js';
export { publishDoor, type PublishDoorDeps } from './doors/publish.js';
export { readDoor, type ReadDoorDeps } from './doors/read.js';
export { stateDoor, type StateDoorDeps } from './doors/state.js';
export { ATTEMPTS_DOOR, AttemptsController, type AttemptsDoorDeps } from './doors/attempts.js';
export { SUBSCRIPTIONS_DOOR, type SpecPreview, type SubscriptionsDoorDeps } from './doors/subscription-desk.js';
export { SubscriptionsController } from './doors/subscriptions.js';
export { SubscriptionActsController } from './doors/subscription-acts.js';
export { subscriptionPullDoor } from './doors/subscription-pull.js';
export { SubscriptionFailuresController } from './doors/subscription-failures.js';
export { FORWARDED, Forwarder } from './forward.js';
export { READERS, type ReadersDeps } from './doors/reader-receipts.js';
