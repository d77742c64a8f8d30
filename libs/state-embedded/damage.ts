import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** An extended SQLite result code has its primary code in the low byte. */
const PRIMARY_CODE = 0xff;
/** The whole file is looked through in the background, first a while after the start. */
const FIRST_CHECK_MS = 60_000;
const CHECK_EVERY_MS = 86_400_000;
const CHECK_FILE = new URL(import.meta.url.endsWith('.ts') ? './check.ts' : './check.js', import.meta.url);

/** Whether an error of SQLite says that the file is damaged. */
export function isDamage(e: unknown): boolean {
  const code = Number((e as { errcode?: unknown } | null)?.errcode ?? 0) & PRIMARY_CODE;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Older ones are removed: on a failing disk they would fill it. */
const KEPT = 3;

/**
 * Renames a damaged file, and its WAL, to the next number: `state.sqlite.set-aside-1`, -2, … Answers the new path. The file first: when this stops in
 * between, SQLite drops the WAL, because it belongs to no file.
 */
export function setAside(path: string): string {
  const dir = dirname(path);
  const prefix = `${basename(path)}.set-aside-`;
  const numbers = readdirSync(dir)
    .map((name) => (name.startsWith(prefix) ? Number(name.slice(prefix.length)) : NaN))
    .filter(Number.isInteger)
    .sort((a, b) => a - b);
  const to = join(dir, `${prefix}${(numbers.at(-1) ?? 0) + 1}`);
  renameSync(path, to);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${to}-wal`);
  rmSync(`${path}-shm`, { force: true });
  for (const number of numbers.slice(0, Math.max(0, numbers.length + 1 - KEPT)))
    for (const end of ['', '-wal']) rmSync(join(dir, `${prefix}${number}${end}`), { force: true });
  return to;
}

/** Looks once a day, in a thread of its own, for damaged pages that no statement has met yet. */
export class BackgroundCheck {
  readonly #path: string;
  readonly #damaged: (cause: unknown) => void;
  #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(path: string, damaged: (cause: unknown) => void) {
    this.#path = path;
    this.#damaged = damaged;
    this.#timer = this.#checkIn(FIRST_CHECK_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      const worker = new Worker(CHECK_FILE, { execArgv: [], workerData: { path: this.#path } });
      worker.unref();
      worker.once('message', (found: string) => {
        if (found !== 'ok') this.#damaged(new Error(found));
      });
      worker.once('error', (e) => {
        if (isDamage(e)) this.#damaged(e);
      });
      worker.once('exit', () => {
        if (!this.#stopped) this.#timer = this.#checkIn(CHECK_EVERY_MS);
      });
    }, ms).unref();
  }
}
