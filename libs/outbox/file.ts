import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { streamOf } from '#event';
import type { PreparedEvent, ProblemDocument } from '#sdk';
import { OutboxFault } from './fault.js';
import type { Item } from './lanes.js';
import { Numbers, numbered } from './numbers.js';
import { faultOfSqlite, loadSqlite, transact } from './sqlite.js';

/** `SOBX` */
const APPLICATION = 0x53_4f_42_58;
const FORMAT = 1;
const TABLES = `
  CREATE TABLE box (source TEXT NOT NULL) STRICT;
  CREATE TABLE numbers (stream TEXT PRIMARY KEY, last INTEGER NOT NULL, free TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    urgent INTEGER NOT NULL,
    event TEXT NOT NULL,
    crc INTEGER NOT NULL,
    given INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    fault TEXT
  ) STRICT;
  CREATE INDEX refused ON events (seq) WHERE fault IS NOT NULL;
`;
/** What a row costs beside the text of its event. */
const ROW_BYTES = 200;

/** An event that a caller wants to queue. */
export interface NewRow {
  /** Without `urutanunit`, unless the caller has given one: the file numbers it. */
  readonly event: PreparedEvent;
  readonly key: string;
  readonly urgent: boolean;
  readonly queued: number;
}

export type Inserted =
  | { readonly kind: 'queued'; readonly item: Item }
  /** The same event is in the file already. */
  | { readonly kind: 'known'; readonly item: Item }
  /** The id belongs to another event. */
  | { readonly kind: 'reused' };

/** An event that the hub has refused, kept until somebody sends it again or drops it. */
export interface RefusedEvent {
  readonly event: PreparedEvent;
  readonly queuedAt: Date;
  /** The problem document of the hub; `outbox_corrupt` when the row is damaged. */
  readonly fault: ProblemDocument;
}

/** The outcome of a row: gone (accepted), or refused. */
export interface Settled {
  readonly seq: number;
  readonly refused?: ProblemDocument;
}

interface Statements {
  readonly insert: StatementSync;
  readonly byId: StatementSync;
  readonly load: StatementSync;
  readonly remove: StatementSync;
  readonly refuse: StatementSync;
  readonly rewrite: StatementSync;
}

export const bytesOf = (event: string): number => Buffer.byteLength(event) + ROW_BYTES;

/** What the caller has given: an event with the same id and the same `given` is the same. */
const givenOf = ({ type, subject = '', data }: PreparedEvent): number =>
  crc32(`${type}\n${subject}\n${JSON.stringify(data)}`);

/**
 * The file of one outbox. One connection holds it with SQLite's own lock, which ends with the process; a second one gets `outbox_locked`. A write of insert() is
 * on the disk when it returns (`synchronous=FULL`). What settle() writes may be lost with the power: then an event is sent once more, with its id.
 */
export class OutboxFile {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #do: Statements;
  readonly #numbers: Numbers;

  private constructor(path: string, db: DatabaseSync) {
    this.#path = path;
    this.#db = db;
    this.#do = {
      insert: db.prepare(
        'INSERT INTO events (id, key, urgent, event, crc, given, queued) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq',
      ),
      byId: db.prepare('SELECT seq, key, urgent, event, given, fault FROM events WHERE id = ?'),
      load: db.prepare('SELECT event, crc FROM events WHERE seq = ?'),
      remove: db.prepare('DELETE FROM events WHERE seq = ?'),
      refuse: db.prepare('UPDATE events SET fault = ? WHERE seq = ?'),
      rewrite: db.prepare('UPDATE events SET event = ?, crc = ?, fault = NULL WHERE seq = ?'),
    };
    const read = db.prepare('SELECT last, free FROM numbers WHERE stream = ?');
    const write = db.prepare('INSERT OR REPLACE INTO numbers VALUES (?, ?, ?)');
    this.#numbers = new Numbers(
      (stream) => read.get(stream) as { last: number; free: string } | undefined,
      (stream, last, free) => void write.run(stream, last, free),
    );
  }

  /**
   * Opens the file and creates it when it does not exist. Faults `outbox_unsupported`, `outbox_unwritable`, `outbox_locked`, `outbox_foreign`, `outbox_newer`,
   * `outbox_corrupt`, `outbox_other_source`, `outbox_disk_full`, `outbox_disk`. `maxPages` bounds the file in tests of a full disk.
   */
  static open(path: string, source: string, maxPages = 0): OutboxFile {
    const { DatabaseSync } = loadSqlite();
    if (!existsSync(dirname(path))) throw new OutboxFault('outbox_unwritable', `${path}: no folder ${dirname(path)}`);
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: 0 });
      // A lock for as long as the connection lives. Nothing in this process may open the file otherwise: closing it would drop the lock of POSIX.
      db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL');
      transact(db, () => prepare(db!, path, source));
      db.exec('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=2000');
      if (maxPages > 0) db.exec(`PRAGMA max_page_count=${maxPages}`);
      const found = String(Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0]);
      if (found !== 'ok') throw new OutboxFault('outbox_corrupt', `${path}: ${found}`);
      return new OutboxFile(path, db);
    } catch (e) {
      db?.close();
      throw faultOfSqlite(e, path);
    }
  }

  /** Queued items in the order of their numbers, and the keys that have a refused event. */
  items(): { readonly queued: Item[]; readonly refused: Item[] } {
    return this.#guard(() => {
      const queued: Item[] = [];
      const refused: Item[] = [];
      const rows = this.#db.prepare(
        'SELECT seq, key, urgent, octet_length(event) AS size, fault IS NOT NULL AS refused FROM events ORDER BY seq',
      );
      for (const { seq, key, urgent, size, refused: out } of rows.iterate() as Iterable<Record<string, unknown>>) {
        const item = {
          seq: seq as number,
          key: key as string,
          urgent: urgent === 1,
          bytes: (size as number) + ROW_BYTES,
        };
        (out === 1 ? refused : queued).push(item);
      }
      return { queued, refused };
    });
  }

  /** Writes the events in one transaction, in order; when it returns, they are on the disk. Faults `outbox_disk_full`, `outbox_disk`, `outbox_corrupt`: nothing is written. */
  insert(rows: readonly NewRow[]): Inserted[] {
    return this.#guard(() =>
      transact(this.#db, () => {
        const results = rows.map((row) => this.#insertOne(row));
        this.#numbers.store();
        return results;
      }),
    );
  }

  #insertOne({ event, key, urgent, queued }: NewRow): Inserted {
    const given = givenOf(event);
    const found = this.#do.byId.get(event.id);
    if (found !== undefined) {
      if (found['given'] !== given || found['fault'] !== null) return { kind: 'reused' };
      return { kind: 'known', item: { seq: found['seq'] as number, key, urgent: found['urgent'] === 1, bytes: 0 } };
    }
    const text = JSON.stringify(numbered(event, () => this.#numbers.take(streamOf(event.type))));
    const row = this.#do.insert.get(event.id, key, urgent ? 1 : 0, text, crc32(text), given, queued);
    return { kind: 'queued', item: { seq: row!['seq'] as number, key, urgent, bytes: bytesOf(text) } };
  }

  /** The event of a row; undefined when the row is damaged. */
  load(seq: number): PreparedEvent | undefined {
    return this.#guard(() => {
      const { event, crc } = this.#do.load.get(seq) as { event: string; crc: number };
      return crc32(event) === crc ? (JSON.parse(event) as PreparedEvent) : undefined;
    });
  }

  /** Removes accepted events and marks refused ones; the numbers of these are free again. Not flushed to the disk. */
  settle(settled: readonly Settled[]): void {
    this.#guard(() => {
      this.#db.exec('PRAGMA synchronous=NORMAL');
      try {
        transact(this.#db, () => {
          for (const { seq, refused } of settled) {
            if (refused === undefined) this.#do.remove.run(seq);
            else {
              this.#release(seq);
              this.#do.refuse.run(JSON.stringify(refused), seq);
            }
          }
          this.#numbers.store();
        });
      } finally {
        this.#db.exec('PRAGMA synchronous=FULL');
      }
    });
  }

  #release(seq: number): void {
    const event = this.load(seq);
    const number = Number(event?.extensions?.['urutanunit']);
    if (event !== undefined && number > 0) this.#numbers.release(streamOf(event.type), number);
  }

  refused(): RefusedEvent[] {
    return this.#guard(() => {
      const rows = this.#db
        .prepare('SELECT event, queued, fault FROM events WHERE fault IS NOT NULL ORDER BY seq')
        .all();
      return rows.map(({ event, queued, fault }) => ({
        event: readable(event as string),
        queuedAt: new Date(queued as number),
        fault: JSON.parse(fault as string) as ProblemDocument,
      }));
    });
  }

  /** Queues a refused event again, at its old place and with a new number. undefined: no refused event has this id. */
  retry(id: string): Item | undefined {
    return this.#ofRefused(id, ({ seq, key, urgent, event }) => {
      const again = numbered(withoutNumber(event), () => this.#numbers.take(streamOf(event.type)));
      const text = JSON.stringify(again);
      this.#do.rewrite.run(text, crc32(text), seq);
      this.#numbers.store();
      return { seq, key, urgent, bytes: bytesOf(text) };
    });
  }

  /** Removes a refused event. undefined: no refused event has this id. */
  drop(id: string): Item | undefined {
    return this.#ofRefused(id, ({ seq, key, urgent, text }) => {
      this.#do.remove.run(seq);
      return { seq, key, urgent, bytes: bytesOf(text) };
    });
  }

  #ofRefused(
    id: string,
    work: (row: { seq: number; key: string; urgent: boolean; event: PreparedEvent; text: string }) => Item,
  ): Item | undefined {
    return this.#guard(() =>
      transact(this.#db, () => {
        const row = this.#do.byId.get(id);
        if (row === undefined || row['fault'] === null) return undefined;
        const text = row['event'] as string;
        const head = { seq: row['seq'] as number, key: row['key'] as string, urgent: row['urgent'] === 1 };
        return work({ ...head, text, event: readable(text) });
      }),
    );
  }

  /** When the oldest event that is not refused was queued, ms since 1970. */
  oldest(): number | undefined {
    return this.#guard(() => {
      const row = this.#db.prepare('SELECT queued FROM events WHERE fault IS NULL ORDER BY seq LIMIT 1').get();
      return row?.['queued'] as number | undefined;
    });
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (e) {
      this.#numbers.forget();
      throw faultOfSqlite(e, this.#path);
    }
  }
}

function prepare(db: DatabaseSync, path: string, source: string): void {
  const pragma = (name: string): number => Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  const isEmpty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] === 0;
  if (isEmpty) {
    db.exec(`${TABLES} PRAGMA application_id=${APPLICATION}; PRAGMA user_version=${FORMAT};`);
    db.prepare('INSERT INTO box VALUES (?)').run(source);
    return;
  }
  if (pragma('application_id') !== APPLICATION) throw new OutboxFault('outbox_foreign', path);
  if (pragma('user_version') > FORMAT) throw new OutboxFault('outbox_newer', path);
  const owner = db.prepare('SELECT source FROM box').get()?.['source'];
  if (owner !== source) throw new OutboxFault('outbox_other_source', `${path}: ${String(owner)}`);
}

/** The event of a row that may be damaged, for people to look at. */
function readable(text: string): PreparedEvent {
  try {
    return JSON.parse(text) as PreparedEvent;
  } catch {
    return { type: '?', data: {}, id: '?', source: '?', time: '?' };
  }
}

function withoutNumber(event: PreparedEvent): PreparedEvent {
  const { urutanunit: _number, ...extensions } = event.extensions ?? {};
  return { ...event, extensions };
}
