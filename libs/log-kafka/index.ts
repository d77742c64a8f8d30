export { openKafkaLog } from './log.js';
export type { KafkaLogOptions, KafkaReport } from './options.js';
