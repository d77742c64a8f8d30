export { KafkaSourceFault, type KafkaFaultCode } from './faults.js';
export type { KafkaCounts, KafkaOptions, KafkaSourceReport, OutOfRange } from './options.js';
export { kafka, type KafkaSource } from './source.js';
