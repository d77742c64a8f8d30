export { makeFolder, openDataFolder, syncFolder, type DataFolder } from './folder.js';
