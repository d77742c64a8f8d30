import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '#faults';
import { makeFolder, syncFolder } from '#folder';
import { copyLog, inspectLog } from '#log-embedded';
import {
  asFolderFault,
  copySecret,
  digestOf,
  FORMAT_FILE,
  KEY_FILES,
  LOG_FILE,
  removeLeftovers,
  type FileDigest,
} from './files.js';
import { writeManifest, type Manifest } from './manifest.js';

export interface BackupOptions {
  readonly dataDir: string;
  /** Created by this call; must not exist. */
  readonly target: string;
  /** @default Date.now */
  readonly now?: () => number;
}

/**
 * Copies the log and the keys of a data folder of the embedded engine, as of one moment, also while a hub runs on it. State is left out: it is folded
 * again. The target appears at once and whole, by a rename; until then everything lies beside it in `<target>.partial-<pid>`.
 * Faults: `target_exists`, `folder_unusable` (also a folder of the Kafka engine), `data_format`, `log_incomplete`, `log_damaged`, `disk_full`.
 */
export async function makeBackup({ dataDir, target, now = Date.now }: BackupOptions): Promise<Manifest> {
  const from = resolve(dataDir);
  const to = resolve(target);
  const partial = `${to}.partial-${process.pid}`;
  if (existsSync(to)) throw new Fault('target_exists', { detail: to });
  if (!existsSync(from)) throw new Fault('folder_unusable', { detail: `${from} (ENOENT)` });
  refuseOtherEngine(from);
  try {
    makeFolder(dirname(to));
    removeLeftovers(to);
    mkdirSync(partial, { mode: 0o700 });
    const madeAt = new Date(now()).toISOString();
    await copyLog(from, join(partial, LOG_FILE));
    chmodSync(join(partial, LOG_FILE), 0o600);
    const others = [...KEY_FILES, FORMAT_FILE].filter((name) => existsSync(join(from, name)));
    for (const name of others) copySecret(join(from, name), join(partial, name));
    const { log, appended, partitions, tables } = await inspectLog(join(partial, LOG_FILE));
    if (tables !== undefined) throw new Fault('log_damaged', { detail: tables });
    const files: Record<string, FileDigest> = {};
    for (const name of [LOG_FILE, ...others]) files[name] = await digestOf(join(partial, name));
    const manifest: Manifest = { format: 1, madeAt, engine: 'embedded', log, appended, files, partitions };
    writeManifest(partial, manifest);
    syncFolder(partial);
    if (existsSync(to)) throw new Fault('target_exists', { detail: to });
    renameSync(partial, to);
    syncFolder(dirname(to));
    return manifest;
  } catch (e) {
    rmSync(partial, { recursive: true, force: true });
    throw asFolderFault(e, to);
  }
}

/** With the Kafka engine the folder holds keys only; its log is in Kafka. */
function refuseOtherEngine(dir: string): void {
  let engine: unknown;
  try {
    engine = (JSON.parse(readFileSync(join(dir, FORMAT_FILE), 'utf8')) as { engine?: unknown }).engine;
  } catch {
    return;
  }
  if (engine !== 'embedded')
    throw new Fault('folder_unusable', {
      detail: `${dir}: engine ${String(engine)}, not embedded; docs/how-to/backup-and-restore.md`,
    });
}
