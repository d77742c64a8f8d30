export { openEmbeddedState, type EmbeddedStateOptions, type EmbeddedStateReport } from './embedded-state.js';
