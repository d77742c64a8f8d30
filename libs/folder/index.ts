export { openDataFolder, type DataFolder } from './folder.js';
