export { Secret } from './secret.js';
export {
  hubEnvironment,
  KAFKA_CHECKS,
  readHubSettings,
  readLanguage,
  readTerminal,
  SETTINGS_REFERENCE,
  type HubSettings,
  type KafkaCheck,
  type KafkaSettings,
} from './settings.js';
