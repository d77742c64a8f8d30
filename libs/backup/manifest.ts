import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#faults';
import type { PartitionSummary } from '#log-embedded';
import { digestOf, LOG_FILE, type FileDigest } from './files.js';

export const MANIFEST_FILE = 'backup.json';
const FORMAT = 1;

/** `backup.json` of a backup. It is written last, so a folder without it is no backup. */
export interface Manifest {
  readonly format: 1;
  /** When the copy was begun, RFC 3339. */
  readonly madeAt: string;
  readonly engine: 'embedded';
  /** Id of the log. */
  readonly log: string;
  /** Records ever appended. */
  readonly appended: number;
  /** By file name. */
  readonly files: Readonly<Record<string, FileDigest>>;
  readonly partitions: readonly PartitionSummary[];
}

export function writeManifest(dir: string, manifest: Manifest): void {
  const fd = openSync(join(dir, MANIFEST_FILE), 'wx', 0o600);
  try {
    writeSync(fd, `${JSON.stringify(manifest, null, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** undefined: the folder has no manifest. Fault `backup_damaged`: it is not readable, or of another format. */
export function readManifest(dir: string): Manifest | undefined {
  const path = join(dir, MANIFEST_FILE);
  if (!existsSync(path)) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Fault('backup_damaged', { detail: path, cause });
  }
  if (!isManifest(found))
    throw new Fault('backup_damaged', {
      detail: `${path}: format ${String((found as Partial<Manifest> | null)?.format ?? '?')}`,
    });
  return found;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function isManifest(found: unknown): found is Manifest {
  if (!isObject(found) || found['format'] !== FORMAT) return false;
  const { files, partitions } = found;
  return (
    isObject(files) &&
    Object.hasOwn(files, LOG_FILE) &&
    Object.values(files).every(isObject) &&
    Array.isArray(partitions) &&
    partitions.every((p) => isObject(p) && typeof p['topic'] === 'string' && Array.isArray(p['damaged']))
  );
}

/** The files of a backup that are not as its manifest says. */
export async function changedFiles(dir: string, { files }: Manifest): Promise<string[]> {
  const changed: string[] = [];
  for (const [name, { bytes, sha256 }] of Object.entries(files)) {
    const path = join(dir, name);
    const found = /^[\w.-]+$/.test(name) && existsSync(path) ? await digestOf(path) : undefined;
    if (found?.bytes !== bytes || found.sha256 !== sha256) changed.push(name);
  }
  return changed;
}
