// The writer thread loads this file as well as the main thread, so it imports no other file of ours.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { threadId } from 'node:worker_threads';

/**
 * What the file `log.mark` says of the log beside it. It lets a start find out that log.sqlite, or its WAL, is older than what was acknowledged:
 * SQLite itself opens such files without a word.
 */
export interface Mark {
  /** `creating`: the log is being made for the first time. `restoring`: a restore began and has not ended. */
  readonly state: 'creating' | 'open' | 'stopped' | 'restoring';
  /** Id of the log. */
  readonly log: string;
  /** Records ever appended as of the last orderly stop, all of them in log.sqlite. */
  readonly stopped: number;
  /** Records ever appended as of the last commit; at least `stopped`. */
  readonly appended: number;
}

export const markPath = (file: string): string => file.replace(/\.sqlite$/, '.mark');

/** The second line of the file is overwritten in place after each commit, so it has a fixed length. A torn one is ignored. */
const COUNT_DIGITS = 16;
const countLine = (n: number): string => {
  const digits = String(n).padStart(COUNT_DIGITS, '0');
  return `${digits} ${[...digits].reverse().join('')}\n`;
};

function countIn(line: string | undefined): number {
  const [digits = '', reversed = ''] = (line ?? '').split(' ');
  return /^\d{16}$/.test(digits) && [...digits].reverse().join('') === reversed ? Number(digits) : 0;
}

/** undefined: there is no mark. Throws when it cannot be read. */
export function readMark(file: string): Mark | undefined {
  let text: string;
  try {
    text = readFileSync(markPath(file), 'utf8');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
  const [first = '', second] = text.split('\n');
  const { state, log, stopped } = JSON.parse(first) as Mark;
  if (!['creating', 'open', 'stopped', 'restoring'].includes(state) || typeof log !== 'string')
    throw new Error('not a mark');
  return { state, log, stopped: Number(stopped), appended: Math.max(Number(stopped), countIn(second)) };
}

/** Durable: written beside, renamed, and the folder is synced. */
export function writeMark(file: string, { state, log, stopped, appended }: Mark): void {
  const path = markPath(file);
  const fresh = `${path}.${process.pid}-${threadId}.new`;
  const fd = openSync(fresh, 'w', 0o600);
  try {
    writeSync(fd, `${JSON.stringify({ format: 1, state, log, stopped })}\n${countLine(appended)}`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    renameSync(fresh, path);
  } catch (e) {
    rmSync(fresh, { force: true });
    throw e;
  }
  syncFolder(dirname(path));
}

/** Makes the entries of a folder durable. */
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

/**
 * Keeps the count of the mark up to date while the log is open. One short write without fsync after each commit: the count survives kill -9, and
 * after a power failure it is older than the log, never newer.
 */
export class RunningMark {
  readonly #file: string;
  readonly #log: string;
  readonly #stopped: number;
  #fd: number | undefined;
  #at = 0;

  constructor(file: string, log: string, stopped: number) {
    this.#file = file;
    this.#log = log;
    this.#stopped = stopped;
  }

  open(appended: number): void {
    writeMark(this.#file, { state: 'open', log: this.#log, stopped: this.#stopped, appended });
    const path = markPath(this.#file);
    this.#at = readFileSync(path).indexOf(0x0a) + 1;
    this.#fd = openSync(path, 'r+');
  }

  /** Never throws: a mark that is too low only sees less. */
  advance(appended: number): void {
    try {
      if (this.#fd !== undefined) writeSync(this.#fd, countLine(appended), this.#at, 'latin1');
    } catch {
      // a full disk or a folder that went away
    }
  }

  /** An orderly stop: everything is in log.sqlite. */
  stop(appended: number): void {
    this.close();
    writeMark(this.#file, { state: 'stopped', log: this.#log, stopped: appended, appended });
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
