export { openKafkaLog } from './log.js';
export type { KafkaLogOptions, KafkaReport } from './options.js';
export type { TopicConcern } from './topic-checks.js';
