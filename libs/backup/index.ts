export { makeBackup, type BackupOptions } from './backup.js';
export { MANIFEST_FILE, type Manifest } from './manifest.js';
export { acceptLoss, restoreBackup, type Restored, type RestoreOptions } from './restore.js';
export { verifyFolder, type Verified } from './verify.js';
export type { FileDigest } from './files.js';
