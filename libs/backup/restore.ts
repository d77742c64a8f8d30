import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Fault } from '#faults';
import { openDataFolder, syncFolder, type DataFolder } from '#folder';
import {
  acceptLog,
  beginRestore,
  damagedControlRow,
  endRestore,
  holdsBackup,
  holdsLog,
  inspectLog,
  isRestoring,
  reserveAfterRestore,
  type LogSummary,
} from '#log-embedded';
import { asFolderFault, copySecret, KEY_FILES, LOG_FILE, STATE_FILES } from './files.js';
import { changedFiles, readManifest, type Manifest } from './manifest.js';

export interface RestoreOptions {
  readonly backup: string;
  /** Made if it is missing. */
  readonly dataDir: string;
  /** Replace what the data folder holds. What was there is kept in `<data>/replaced-<number>`. */
  readonly replace: boolean;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface Restored {
  readonly manifest: Manifest;
  /** Where the files that were replaced are kept. */
  readonly replaced: string | undefined;
}

const STAGE = 'restore.partial';
const REPLACED = 'replaced-';

/**
 * Puts a backup into a data folder, after every file and row of it was checked. A kill at any point leaves the folder as it was, or one that no hub
 * starts on until the same restore has ended. State is removed, so the hub folds it again; offsets behind those of the backup are not given again.
 * Faults: `backup_damaged`, `target_exists` (without `replace`), `data_locked` (a hub runs), `data_format`, `folder_unusable` (also a data folder that is a
 * backup), `disk_full`.
 */
export async function restoreBackup({ backup, dataDir, replace, now = Date.now }: RestoreOptions): Promise<Restored> {
  const from = resolve(backup);
  const dir = resolve(dataDir);
  const manifest = await wholeBackup(from);
  refuseBackup(dir);
  return owning(dir, async () => {
    const stage = join(dir, STAGE);
    const resumed = isRestoring(dir);
    if (!replace && !resumed && (holdsLog(dir) || [...KEY_FILES, ...STATE_FILES].some((f) => existsSync(join(dir, f)))))
      throw new Fault('target_exists', { detail: dir });
    rmSync(stage, { recursive: true, force: true });
    try {
      mkdirSync(stage, { mode: 0o700 });
      const names = [LOG_FILE, ...KEY_FILES].filter((name) => manifest.files[name] !== undefined);
      for (const name of names) copySecret(join(from, name), join(stage, name));
      reserveAfterRestore(join(stage, LOG_FILE), now());
      const summary = await inspectLog(join(stage, LOG_FILE));
      syncFolder(stage);
      // nothing of the folder was touched up to here
      const mark = join(dir, 'log.mark');
      const oldMark = !resumed && existsSync(mark);
      const replaced = keepReplaced(dir, oldMark);
      beginRestore(dir);
      for (const name of [LOG_FILE, `${LOG_FILE}-wal`, ...KEY_FILES])
        if (existsSync(join(dir, name))) renameSync(join(dir, name), join(replaced ?? stage, name));
      rmSync(join(dir, `${LOG_FILE}-shm`), { force: true });
      removeState(dir);
      for (const name of names) renameSync(join(stage, name), join(dir, name));
      syncFolder(dir);
      endRestore(dir, summary);
      return { manifest, replaced };
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  });
}

/**
 * Goes on with what is left of the log of a data folder, when there is no backup: see acceptLog. State is removed. Faults: `data_locked`,
 * `log_damaged`, `folder_unusable`.
 */
export async function acceptLoss(dataDir: string): Promise<LogSummary> {
  const dir = resolve(dataDir);
  if (!existsSync(dir)) throw new Fault('folder_unusable', { detail: `${dir} (ENOENT)` });
  refuseBackup(dir);
  return owning(dir, async () => {
    const summary = await acceptLog(dir, Date.now());
    removeState(dir);
    syncFolder(dir);
    return summary;
  });
}

/** A restore into a backup, or into the very one that is restored, would leave no backup. */
function refuseBackup(dir: string): void {
  if (holdsBackup(dir)) throw new Fault('folder_unusable', { detail: `${dir}: this is a backup, no data folder` });
}

/** The manifest of a backup whose files and rows are as it says. */
async function wholeBackup(dir: string): Promise<Manifest> {
  if (!existsSync(dir)) throw new Fault('folder_unusable', { detail: `${dir} (ENOENT)` });
  try {
    readdirSync(dir);
    const manifest = readManifest(dir);
    if (!manifest) throw new Fault('backup_damaged', { detail: `${dir}: backup.json` });
    const changed = await changedFiles(dir, manifest);
    if (changed.length > 0) throw new Fault('backup_damaged', { detail: `${dir}: ${changed.join(', ')}` });
    const bad = damagedControlRow(manifest);
    if (bad !== undefined) throw new Fault('backup_damaged', { detail: `${dir}: ${bad}` });
    return manifest;
  } catch (e) {
    throw asFolderFault(e, dir);
  }
}

async function owning<T>(dir: string, work: () => Promise<T>): Promise<T> {
  let folder: DataFolder | undefined;
  try {
    folder = openDataFolder(dir, 'embedded');
    return await work();
  } catch (e) {
    throw asFolderFault(e, dir);
  } finally {
    folder?.release();
  }
}

/** A new folder for what a restore replaces, with the mark that belongs to it; undefined when there is nothing to keep. */
function keepReplaced(dir: string, mark: boolean): string | undefined {
  if (![LOG_FILE, `${LOG_FILE}-wal`, ...KEY_FILES].some((name) => existsSync(join(dir, name)))) return undefined;
  const numbers = readdirSync(dir)
    .filter((name) => name.startsWith(REPLACED))
    .map((name) => Number(name.slice(REPLACED.length)));
  const replaced = join(dir, `${REPLACED}${Math.max(0, ...numbers.filter(Number.isInteger)) + 1}`);
  mkdirSync(replaced, { mode: 0o700 });
  if (mark) copySecret(join(dir, 'log.mark'), join(replaced, 'log.mark'));
  syncFolder(dir);
  return replaced;
}

function removeState(dir: string): void {
  for (const name of STATE_FILES) rmSync(join(dir, name), { force: true });
}
