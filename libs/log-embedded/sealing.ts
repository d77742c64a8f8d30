// Adds checksums to rows that were written before there were any, in small steps. Loaded by the writer thread, so it imports only node: modules, types, and
// files that do the same.
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { SealAnswer } from './ops.ts';
import { checksumOf, idOf } from './row.ts';
import { isCorrupt, Rows, type ReadRow } from './rows.ts';
import type { Statements } from './statements.ts';

const PAGE = { maxRecords: 500, maxBytes: 1 << 20 };
/** A long reader keeps SQLite from emptying the WAL, through which every changed row goes: the steps wait meanwhile. */
const MAX_WAL_BYTES = 128 << 20;

/** Where the next step begins. `part` 0: every row was looked at. Kept in the file, so that a start does not read the whole log again. */
interface Place {
  readonly part: number;
  readonly offset: number;
}

export class Sealing {
  readonly #db: DatabaseSync;
  readonly #sql: Statements;
  readonly #rows: Rows;
  readonly #wal: string;
  #place: Place | undefined;

  constructor(db: DatabaseSync, sql: Statements, file: string) {
    this.#db = db;
    this.#sql = sql;
    this.#rows = new Rows(db);
    this.#wal = `${file}-wal`;
  }

  /**
   * Looks at one page of rows. A row whose records all fit their digests gets its checksum; one with a record that does not, or that carries no digest,
   * stays as it is, and is read with the same check. Throws the errors of SQLite, and then has changed nothing.
   */
  step(): SealAnswer {
    const at = (this.#place ??= this.#stored());
    const nothing = { kind: 'sealed', records: 0, damaged: [] } as const;
    if (at.part === 0) return { ...nothing, done: true };
    if ((statSync(this.#wal, { throwIfNoEntry: false })?.size ?? 0) > MAX_WAL_BYTES) return { ...nothing, done: false };
    const found = this.#sql.nextKept.get(at.part) as Kept | undefined;
    if (!found) {
      this.#change([], { part: 0, offset: 0 });
      return { ...nothing, done: true };
    }
    const { part, low, high, topic, partition } = found;
    const from = Math.max(low, part === at.part ? at.offset : 0);
    const page = from < high ? this.#rows.page(part, from, high, true, PAGE) : [];
    const last = page.at(-1);
    const next = last && last.last + 1 < high ? { part, offset: last.last + 1 } : { part: part + 1, offset: 0 };
    const bare = page.filter((row) => row.data !== undefined && row.crc === null && row.proven);
    this.#change(
      bare.map((row) => ({ ...row, part, data: row.data! })),
      next,
    );
    const damaged = page
      .filter((row) => row.data === undefined)
      .map((row) => ({ topic, partition, first: row.base, last: row.last }));
    return { ...nothing, done: false, records: bare.reduce((n, row) => n + row.last - row.base + 1, 0), damaged };
  }

  #stored(): Place {
    const value = (name: string): number | undefined => this.#sql.counter.get(name)?.['value'] as number | undefined;
    return { part: value('unsealed_part') ?? 1, offset: value('unsealed_offset') ?? 0 };
  }

  #change(rows: readonly (ReadRow & { part: number; data: Uint8Array })[], next: Place): void {
    // a page of rows that all have checksums is not worth a write
    if (rows.length > 0 || next.part !== this.#place!.part) {
      this.#sql.begin.run();
      try {
        for (const row of rows) this.#sql.seal.run(checksumOf(row), idOf(row.part, row.base));
        this.#sql.putCounter.run('unsealed_part', next.part);
        this.#sql.putCounter.run('unsealed_offset', next.offset);
        this.#sql.sealCounters.run();
        this.#sql.commit.run();
      } catch (e) {
        if (this.#db.isTransaction) this.#sql.rollback.run();
        // a damaged page of the file must not keep the rows behind it from being looked at
        if (!isCorrupt(e)) throw e;
      }
    }
    this.#place = next;
  }
}

interface Kept {
  readonly part: number;
  readonly low: number;
  readonly high: number;
  readonly topic: string;
  readonly partition: number;
}
