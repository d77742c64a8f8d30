import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Fault, isFault } from '#faults';

/** What a backup holds besides the log. The keys are made once and cannot be folded from anything. */
export const KEY_FILES = ['admin.key', 'pseudonym.key'] as const;
export const FORMAT_FILE = 'format.json';
export const LOG_FILE = 'log.sqlite';

/** Folded again from the log: no backup holds it, and a restore removes it. */
export const STATE_FILES = ['state.sqlite', 'state.sqlite-wal', 'state.sqlite-shm'] as const;

export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

export async function digestOf(path: string): Promise<FileDigest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { bytes: statSync(path).size, sha256: hash.digest('hex') };
}

/** A durable copy that only its owner can read. */
export function copySecret(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, 0o600);
  const fd = openSync(to, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Removes what killed runs left beside the target: their names end in the pid of a process that is gone. */
export function removeLeftovers(target: string): void {
  const dir = dirname(target);
  const prefix = `${basename(target)}.partial-`;
  for (const name of existsSync(dir) ? readdirSync(dir) : []) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (!/^[1-9]\d*$/.test(pid) || isAlive(Number(pid))) continue;
    rmSync(join(dir, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The Fault of an error of the file system: `disk_full`, else `folder_unusable`, with path and code. */
export function asFolderFault(e: unknown, path: string): Fault {
  if (isFault(e)) return e;
  const { code = 'error', path: at } = e as NodeJS.ErrnoException;
  const detail = `${at ?? path} (${code})`;
  return new Fault(code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'folder_unusable', { detail, cause: e });
}
