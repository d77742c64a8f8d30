export { mayState, type StatedType } from './acting.js';
export { isHubAdmin, type Caller, type ReadLevel, type Role } from './access.js';
export {
  AUDIT_TOPIC,
  audited,
  HUB_ACTOR,
  readAudit,
  withTexts,
  recordUse,
  type Act,
  type Actor,
  type AuditPage,
  type AuditRecord,
} from './audit.js';
export { hasRole, isInTree, type RestrictedType } from './grant-rules.js';
export { ROLES, type KeySpec } from './key-rules.js';
export { isMask, maskData } from './mask.js';
export { KEY_LIVES, type KeyExpiry, type KeyLives } from './key-expiry.js';
export { KEY_STATES, type KeyState, type ShownKey } from './key-state.js';
export { openAccess, type Access, type AccessDeps, type AdminKey, type MadeKey } from './open.js';
export { loadPseudonymKey, type PseudonymKeyDeps } from './pseudonym-key.js';
export { mayPublish, notAPublisher, sourceOf } from './publish-right.js';
export {
  consumerLevel,
  EventLevels,
  idsIn,
  levelData,
  mayKnowType,
  mayRead,
  namedFields,
  readLevel,
} from './read-level.js';
export { isOwnSource, maySeeAct, maySeeAllOwners, maySeeOwner, maySeeRefusals, maySeeSummarised } from './see-right.js';
export { sampleEvent, type SampleEvent } from './sample-event.js';
