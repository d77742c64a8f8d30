export { SIMPUL_IMAGE, SimpulContainer, StartedSimpulContainer, type NewKey } from './simpul-container.js';
