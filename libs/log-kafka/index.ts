export { openKafkaLog } from './log.js';
export type { KafkaEvent, KafkaLogOptions } from './options.js';
