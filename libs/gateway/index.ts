import type { HubRole } from '#core';
import { openGatewayRole } from './gateway.js';

export { openGatewayRole, type GatewayRole } from './gateway.js';

export const GATEWAY: HubRole = { name: 'gateway', open: openGatewayRole };
