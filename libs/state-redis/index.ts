export { parseRedisAddress, type HostPort, type RedisAddress } from './address.js';
export { openRedisState, type RedisStateOptions } from './redis-state.js';
export type { RedisReport } from './trust.js';
