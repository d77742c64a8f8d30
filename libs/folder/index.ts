export { addressOf, makeFolder, noteAddress, openDataFolder, syncFolder, type DataFolder } from './folder.js';
