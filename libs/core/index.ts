export { auditView } from './audit-view.js';
export { openCore, type Core } from './core.js';
export { openEngine, type Engine } from './engine.js';
export { hubCaller, ownEvent, toldOf } from './own-event.js';
export { hubPublishing } from './publishing.js';
export { resetAdminKey } from './reset-admin.js';
export { runHub, type HubApp, type HubRole, type OpenRole } from './run.js';
