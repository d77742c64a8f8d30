export {
  kafkaClient,
  NotKafka,
  notKafka,
  reauthenticateAheadMs,
  SessionTooShort,
  type KafkaClientOptions,
  type Sasl,
} from './client.js';
export { hookGroup, type GroupHooks } from './group-hooks.js';
