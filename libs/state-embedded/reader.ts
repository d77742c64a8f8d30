import { hash } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { formatPosition } from '#event';
import type { ChangePage, Entry, First, Page, Progress, ReadResult, ScanRange, Space, StreamPartition } from '#state';

const spaceNumber = (space: Space | undefined): number => (space === 'part' ? 1 : 0);
const LAST_CODE_POINT = 0x10ffff;
/** UTF-16 surrogates lie between these two code points and are not valid in UTF-8. */
const BEFORE_SURROGATES = 0xd7ff;
const AFTER_SURROGATES = 0xe000;
const PROGRESS = 'stream, next, epoch, time_ms, proof, reset_ms, reset_until';
const MAX_OFFSET = 2n ** 63n - 1n;

/** The exclusive upper bound of a prefix scan: the smallest text that is greater, in UTF-8 byte order, than every text with this prefix. undefined: there is no bound. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (c) => c.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    if (last === LAST_CODE_POINT) continue;
    points.push(last === BEFORE_SURROGATES ? AFTER_SURROGATES : last + 1);
    return String.fromCodePoint(...points);
  }
  return undefined;
}

type Row = Record<string, unknown>;

/** Reads the file over its own read-only connection in the calling thread; with WAL it neither waits for the writer nor blocks it. Each method reads one snapshot. Throws the errors of node:sqlite. */
export class Reader {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true });
    this.#db.exec('PRAGMA busy_timeout=1000; PRAGMA cache_size=-8000');
  }

  close(): void {
    this.#prepared.clear();
    this.#db.close();
  }

  /** When the newest row of the duplicate index was written, ms since 1970; 0: there is none. */
  newestFirst(): number {
    return Number(this.#one('SELECT max(at) AS at FROM firsts')?.['at'] ?? 0);
  }

  ping(): void {
    for (const table of ['parts', 'progress', 'entries', 'feed', 'deletes', 'firsts'])
      this.#one(`SELECT * FROM ${table} LIMIT 1`);
  }

  read(view: string, partition: number, keys: readonly string[], space: Space | undefined): ReadResult {
    return this.#snapshot(() => {
      const part = this.#part(view, partition);
      if (part === undefined) return { entries: keys.map(() => undefined), progress: [] };
      const sql = 'SELECT key, stream, offset, time_ms, value FROM entries WHERE part = ? AND space = ? AND key = ?';
      const entries = keys.map((key) => {
        const row = this.#one(sql, part, spaceNumber(space), key);
        return row && entryOf(row, partition);
      });
      return { entries, progress: this.#progress(part) };
    });
  }

  scan(view: string, partition: number, range: ScanRange): Page {
    const limit = range.limit ?? 500;
    return this.#snapshot(() => {
      const part = this.#part(view, partition);
      if (part === undefined) return { entries: [], more: false, progress: [] };
      const args: (bigint | number | string)[] = [part, spaceNumber(range.space)];
      let sql = 'SELECT key, stream, offset, time_ms, value FROM entries WHERE part = ? AND space = ?';
      const add = (where: string, arg: string): void => {
        sql += ` AND ${where}`;
        args.push(arg);
      };
      if (range.after !== undefined) add('key > ?', range.after);
      if (range.prefix !== undefined && range.prefix !== '') {
        add('key >= ?', range.prefix);
        const bound = afterPrefix(range.prefix);
        if (bound !== undefined) add('key < ?', bound);
      }
      const rows = this.#all(`${sql} ORDER BY key LIMIT ?`, ...args, limit + 1);
      const entries = rows.slice(0, limit).map((row) => entryOf(row, partition));
      return { entries, more: rows.length > limit, progress: this.#progress(part) };
    });
  }

  changes(view: string, { stream, partition }: StreamPartition, after: bigint, limit: number): ChangePage {
    return this.#snapshot(() => {
      const part = this.#part(view, partition);
      if (part === undefined) return { changes: [], more: false, gap: false, progress: [] };
      const rows = this.#all(
        `SELECT f.key, f.offset, e.value, e.time_ms, d.time_ms deleted_ms FROM feed f
         LEFT JOIN entries e ON e.part = f.part AND e.space = 0 AND e.key = f.key
         LEFT JOIN deletes d ON d.part = f.part AND d.key = f.key
         WHERE f.part = ?1 AND f.stream = ?2 AND f.offset > ?3 AND f.offset <= coalesce(
           (SELECT offset FROM feed WHERE part = ?1 AND stream = ?2 AND offset > ?3 ORDER BY offset, key LIMIT 1 OFFSET ?4), ?5)
         ORDER BY f.offset, f.key`,
        part,
        stream,
        after,
        limit - 1,
        MAX_OFFSET,
      );
      const last = rows.at(-1)?.['offset'] as bigint | undefined;
      const more =
        last !== undefined &&
        this.#one('SELECT 1 x FROM feed WHERE part = ? AND stream = ? AND offset > ? LIMIT 1', part, stream, last) !==
          undefined;
      const expired = this.#one('SELECT forgotten FROM progress WHERE part = ? AND stream = ?', part, stream);
      return {
        changes: rows.map((row) => ({
          key: String(row['key']),
          value: row['value'] === null ? null : String(row['value']),
          offset: row['offset'] as bigint,
          appendTimeMs: Number(row['time_ms'] ?? row['deleted_ms'] ?? 0),
        })),
        more,
        gap: expired !== undefined && after < (expired['forgotten'] as bigint),
        progress: this.#progress(part),
      };
    });
  }

  positions(view: string, parts: readonly StreamPartition[]): (Progress | undefined)[] {
    return this.#snapshot(() =>
      parts.map(({ stream, partition }) => {
        const row = this.#one(
          `SELECT ${PROGRESS} FROM progress
           WHERE part = (SELECT id FROM parts WHERE view = ? AND partition = ?) AND stream = ?`,
          view,
          partition,
          stream,
        );
        return row && progressOf(row);
      }),
    );
  }

  findFirst(ids: readonly { readonly source: string; readonly id: string }[]): (First | undefined)[] {
    return this.#snapshot(() =>
      ids.map(({ source, id }) => {
        const key = hash('sha256', `${source.length}:${source}${id}`, 'buffer').subarray(0, 16);
        const row = this.#one(
          'SELECT stream, partition, offset, lower(hex(digest)) digest, schema_id, time_ms FROM firsts WHERE hash = ?',
          key,
        );
        return (
          row && {
            source,
            id,
            stream: String(row['stream']),
            partition: Number(row['partition']),
            offset: row['offset'] as bigint,
            digest: String(row['digest']),
            schemaId: Number(row['schema_id']),
            recordedTimeMs: Number(row['time_ms']),
          }
        );
      }),
    );
  }

  #part(view: string, partition: number): bigint | undefined {
    return this.#one('SELECT id FROM parts WHERE view = ? AND partition = ?', view, partition)?.['id'] as
      bigint | undefined;
  }

  #progress(part: bigint): Progress[] {
    return this.#all(`SELECT ${PROGRESS} FROM progress WHERE part = ? ORDER BY stream`, part).map(progressOf);
  }

  #snapshot<T>(read: () => T): T {
    this.#db.exec('BEGIN');
    try {
      return read();
    } finally {
      this.#db.exec('ROLLBACK');
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  #one(sql: string, ...args: (bigint | number | string | Uint8Array)[]): Row | undefined {
    return this.#statement(sql).get(...args);
  }

  #all(sql: string, ...args: (bigint | number | string | Uint8Array)[]): Row[] {
    return this.#statement(sql).all(...args);
  }
}

function entryOf(row: Row, partition: number): Entry {
  return {
    key: String(row['key']),
    value: String(row['value']),
    position: formatPosition(String(row['stream']), partition, row['offset'] as bigint),
    appendTimeMs: Number(row['time_ms']),
  };
}

function progressOf(row: Row): Progress {
  return {
    stream: String(row['stream']),
    next: row['next'] as bigint,
    epoch: row['epoch'] as bigint,
    appendTimeMs: Number(row['time_ms']),
    ...(typeof row['proof'] === 'string' ? { proof: row['proof'] } : {}),
    ...(row['reset_until'] === null
      ? {}
      : { reset: { atMs: Number(row['reset_ms']), until: row['reset_until'] as bigint } }),
  };
}
