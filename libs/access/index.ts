export type { Caller, ReadLevel, Role } from './access.js';
export {
  AUDIT_TOPIC,
  audited,
  HUB_ACTOR,
  readAudit,
  type Act,
  type Actor,
  type AuditPage,
  type AuditRecord,
} from './audit.js';
export { adminKeyPath, pseudonymKeyPath } from './key-file.js';
export { ROLES, type KeySpec } from './key-rules.js';
export { maskData } from './mask.js';
export {
  KEYS_TOPIC,
  openAccess,
  type Access,
  type AccessDeps,
  type AdminKey,
  type MadeKey,
  type ShownKey,
} from './open.js';
export { loadPseudonymKey, type PseudonymKeyDeps } from './pseudonym-key.js';
export { mayPublish, sourceOf } from './publish-right.js';
export { idsIn, mayRead, readLevel } from './read-level.js';
export { maySeeOwner, maySeeSource } from './see-right.js';
export { sampleEvent, type SampleEvent } from './sample-event.js';
