export { openCore, type Core } from './core.js';
export { openEngine, type Engine } from './engine.js';
export { openGatewayRole, type GatewayRole } from './gateway.js';
export { openProjectorRole, type ProjectorRole } from './projector.js';
export { resetAdminKey } from './reset-admin.js';
export { runHub, type HubApp, type HubParts, type HubRole } from './run.js';
