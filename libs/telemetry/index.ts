export { openLogger, type Logger } from './logger.js';
export { Metrics } from './metrics.js';
