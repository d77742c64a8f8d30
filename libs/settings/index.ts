export { Secret } from './secret.js';
export {
  hubEnvironment,
  readHubSettings,
  readLanguage,
  readTerminal,
  SETTINGS_REFERENCE,
  type HubSettings,
  type KafkaSettings,
} from './settings.js';
