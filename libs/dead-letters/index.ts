export { DEAD_TOPICS, DeadLetterBoxes, MAX_GROUPS, MAX_LETTERS, ownerOfGroup, type Letter } from './letters.js';
