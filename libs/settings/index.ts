export { Secret } from './secret.js';
export {
  hubEnvironment,
  KAFKA_CHECKS,
  readHubSettings,
  SETTINGS_REFERENCE,
  type HubSettings,
  type KafkaCheck,
  type KafkaSettings,
} from './settings.js';
export { readLanguage, readTerminal } from './terminal.js';
