import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault, isFault } from '#faults';

const FORMAT = 1;

export interface DataFolder {
  readonly dir: string;
  /** Releases the lock, so that another process can own the folder. */
  release(): void;
}

/**
 * Makes a folder and those above it, durably and for the owner only. Throws the error of Node. A mkdir of our own, because `recursive: true` of Node 24
 * never returns below a directory that exists but accepts no entries (/proc).
 */
export function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o700 });
    syncFolder(dirname(dir));
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || existsSync(dirname(dir))) throw e;
    makeFolder(dirname(dir));
    mkdirSync(dir, { mode: 0o700 });
    syncFolder(dirname(dir));
  }
}

/** Makes the entries of a folder durable: what was created or renamed in it is there after a power failure. */
export function syncFolder(dir: string): void {
  // Windows opens no folders
  if (process.platform === 'win32') return;
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

interface Format {
  readonly format?: unknown;
  readonly engine?: unknown;
}

function parseFormat(text: string): Format {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? found : {};
  } catch {
    return {};
  }
}

/** Writes to a temporary file and renames it: a half-written format file would make the folder unusable after a crash. */
function writeFormat(file: string, engine: string): void {
  writeFileSync(`${file}.new`, `${JSON.stringify({ format: FORMAT, engine })}\n`, { flush: true });
  renameSync(`${file}.new`, file);
  syncFolder(dirname(file));
}

/**
 * Locks the data folder for this process until release() or the end of the process. The lock is a SQLite file lock, which the operating system
 * releases with the process, so a killed owner never blocks the next one.
 * Faults: `data_locked` with the owner's pid; `data_format` for a folder of another format or engine; `invalid_settings` when it cannot be written.
 */
export function openDataFolder(dir: string, engine: 'embedded' | 'kafka'): DataFolder {
  let lock: DatabaseSync;
  try {
    makeFolder(dir);
    lock = new DatabaseSync(join(dir, 'owner.lock'), { timeout: 0 });
  } catch (cause) {
    throw new Fault('invalid_settings', {
      detail: `${dir} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'error'})`,
      cause,
    });
  }
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    const message = (cause as Error).message;
    if (!/locked|busy/i.test(message))
      throw new Fault('invalid_settings', { detail: `${dir} cannot be written (${message})`, cause });
    throw new Fault('data_locked', { detail: `${dir}, pid ${readText(join(dir, 'owner.pid')) ?? '?'}`, cause });
  }
  const release = (): void => {
    lock.close();
  };
  try {
    const file = join(dir, 'format.json');
    const text = readText(file);
    if (text === undefined) writeFormat(file, engine);
    else {
      const found = parseFormat(text);
      if (found.format !== FORMAT || found.engine !== engine) {
        const [format, of] = [found.format, found.engine].map((v) => (v === undefined ? '?' : String(v)));
        throw new Fault('data_format', {
          detail: `${file}: format ${format} of engine ${of}; this is format ${FORMAT} of engine ${engine}`,
        });
      }
    }
    rmSync(join(dir, 'owner.url'), { force: true });
    writeFileSync(join(dir, 'owner.pid'), `${process.pid}\n`);
  } catch (e) {
    release();
    if (isFault(e)) throw e;
    // a folder that was mounted read-only, or a full disk
    const code = (e as NodeJS.ErrnoException).code ?? 'error';
    throw new Fault('invalid_settings', { detail: `${dir} cannot be written (${code})`, cause: e });
  }
  return { dir, release };
}

/** Notes the address of the hub that owns the folder, for programs on the same machine. A folder that takes no file any more is no reason to end a hub: then nothing is noted. */
export function noteAddress(dir: string, url: string): void {
  try {
    writeFileSync(join(dir, 'owner.url'), `${url}\n`);
  } catch {
    // They need the address from somebody else then.
  }
}

/** The address of the hub that owns the folder and runs; undefined: none runs, or none is known. */
export function addressOf(dir: string): string | undefined {
  const pid = Number(readText(join(dir, 'owner.pid')));
  const url = readText(join(dir, 'owner.url'));
  if (!Number.isSafeInteger(pid) || pid <= 0 || url === undefined || !/^https?:\/\/\S+$/.test(url)) return undefined;
  try {
    process.kill(pid, 0);
  } catch (e) {
    // EPERM: it runs, under another user.
    if ((e as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  return url;
}
