export { openKafkaLog } from './log.js';
export type { KafkaLogOptions, KafkaReport } from './options.js';
export type { TopicCheck, TopicConcern } from './topic-checks.js';
