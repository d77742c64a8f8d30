import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Fault } from '#faults';
import { inspectLog, isRestoring, type LogSummary } from '#log-embedded';
import { asFolderFault, LOG_FILE } from './files.js';
import { changedFiles, readManifest } from './manifest.js';

export interface Verified {
  readonly kind: 'data' | 'backup';
  readonly log: LogSummary;
  /** Of a backup: the files that are not as its manifest says. */
  readonly changed: readonly string[];
  /** A restore into the folder has begun and not ended. */
  readonly restoring: boolean;
  /** A row is damaged, a file has changed, or something is missing. */
  readonly damaged: boolean;
  /** Records that were written before there were checksums and have none yet: what is not in their digest cannot be checked. */
  readonly unchecked: number;
  /** Not damaged, and everything was checked. */
  readonly whole: boolean;
}

/**
 * Checks every row of a data folder or of a backup, also while a hub runs. Nothing is written. Faults: `folder_unusable`, `backup_damaged`,
 * `log_damaged`, `data_format`.
 */
export async function verifyFolder(folder: string): Promise<Verified> {
  const dir = resolve(folder);
  if (!existsSync(dir)) throw new Fault('folder_unusable', { detail: `${dir} (ENOENT)` });
  try {
    const manifest = readManifest(dir);
    const changed = manifest ? await changedFiles(dir, manifest) : [];
    const log = await inspectLog(join(dir, LOG_FILE));
    const restoring = isRestoring(dir);
    const rows = log.tables !== undefined || log.partitions.some((p) => p.damaged.length > 0);
    const damaged = rows || changed.length > 0 || log.missing !== undefined || restoring;
    const unchecked = log.partitions.reduce((sum, p) => sum + p.unchecked, 0);
    const whole = !damaged && unchecked === 0;
    return { kind: manifest ? 'backup' : 'data', log, changed, restoring, damaged, unchecked, whole };
  } catch (e) {
    throw asFolderFault(e, dir);
  }
}
