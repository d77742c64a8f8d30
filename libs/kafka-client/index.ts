export {
  kafkaClient,
  NotKafka,
  notKafka,
  reauthenticateAheadMs,
  SessionTooShort,
  type KafkaClientOptions,
  type Sasl,
} from './client.js';
export { hookJoin, type BeforeJoin } from './group-hooks.js';
