import { streamOf } from '#event';
import type { PreparedEvent, ProblemDocument } from '#sdk';
import { OutboxFault } from './fault.js';
import type { RefusedEvent } from './file.js';
import type { Item } from './lanes.js';
import { Numbers, numbered } from './numbers.js';
import type { Loaded, SettledItem } from './sender.js';
import type { Dialect, Row, Sql, Work } from './sql.js';

export interface RowCounts {
  readonly queued: number;
  readonly refused: number;
  readonly oldest: number | undefined;
}

/** Parts of statements in which the two databases differ. */
const PARTS: Readonly<Record<Dialect, { now: string; texts: string; numbers: string; forUpdate: string }>> = {
  postgres: {
    now: '(extract(epoch FROM clock_timestamp()) * 1000)::bigint',
    texts: '(SELECT jsonb_array_elements_text($1::jsonb))',
    numbers: '(SELECT jsonb_array_elements_text($1::jsonb)::bigint)',
    forUpdate: 'FOR UPDATE',
  },
  sqlite: {
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    texts: '(SELECT value FROM json_each($1))',
    numbers: '(SELECT value FROM json_each($1))',
    forUpdate: '',
  },
};

/** The tables of outboxIn(), as a relay sees them: the same statements for both databases. */
export class OutboxRows {
  readonly #sql: Sql;
  readonly #parts: (typeof PARTS)[Dialect];

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#parts = PARTS[sql.dialect];
  }

  /** Takes or keeps the lease for this time. false: another relay has it. */
  async lease(holder: string, ms: number): Promise<boolean> {
    const { now } = this.#parts;
    const rows = await this.#sql.query(
      `UPDATE simpul_outbox_lease SET holder = $1, until = ${now} + $2 WHERE holder = $3 OR until < ${now} RETURNING one`,
      [holder, ms, holder],
    );
    return rows.length > 0;
  }

  async giveLease(holder: string): Promise<void> {
    await this.#sql.query('UPDATE simpul_outbox_lease SET until = 0 WHERE holder = $1', [holder]);
  }

  /**
   * The first rows that wait, without those of some keys. What is urgent has made the earlier rows of its key urgent, so any beginning of this order has, of each key,
   * the beginning of the order of that key.
   */
  async waiting(limit: number, withoutKeys: readonly string[]): Promise<Item[]> {
    const rows = await this.#sql.query(
      `SELECT seq, key, urgent, length(event) AS size FROM simpul_outbox
        WHERE key NOT IN ${this.#parts.texts} AND fault IS NULL ORDER BY urgent DESC, seq LIMIT $2`,
      [JSON.stringify(withoutKeys), limit],
    );
    return rows.map((r) => ({
      seq: Number(r['seq']),
      key: String(r['key']),
      urgent: Number(r['urgent']) === 1,
      bytes: Number(r['size']),
    }));
  }

  async refusedKeys(): Promise<string[]> {
    const rows = await this.#sql.query('SELECT DISTINCT key FROM simpul_outbox WHERE fault IS NOT NULL', []);
    return rows.map((r) => String(r['key']));
  }

  /** The events of these rows, with their source and number, which are stored before the first of them is sent. */
  load(items: readonly Item[], source: string): Promise<Loaded[]> {
    const counting = (rows: readonly Row[]) => this.#counters(rows);
    const { numbers, forUpdate } = this.#parts;
    return this.#sql.transaction(function* () {
      const seqs = JSON.stringify(items.map((i) => i.seq));
      const rows = yield [
        `SELECT seq, event, numbered, fault FROM simpul_outbox WHERE seq IN ${numbers} ORDER BY seq ${forUpdate}`,
        [seqs],
      ];
      const bySeq = new Map(rows.map((r) => [Number(r['seq']), r]));
      const counters = yield* counting(rows);
      const loaded: Loaded[] = [];
      for (const { seq } of items) {
        const row = bySeq.get(seq);
        const event = row === undefined ? undefined : parsed(row);
        if (row === undefined) loaded.push('gone');
        else if (row['fault'] !== null) loaded.push('refused');
        else if (event === undefined) loaded.push('damaged');
        else if (Number(row['numbered']) === 1) loaded.push(event);
        else {
          const own = { ...numbered(event, () => counters.take(streamOf(event.type))), source };
          yield ['UPDATE simpul_outbox SET event = $1, numbered = 1 WHERE seq = $2', [JSON.stringify(own), seq]];
          loaded.push(own);
        }
      }
      yield* counters.save();
      return loaded;
    });
  }

  /** Removes accepted rows; keeps refused ones, whose numbers are free again. */
  async settle(settled: readonly SettledItem[]): Promise<void> {
    const counting = (rows: readonly Row[]) => this.#counters(rows);
    const { numbers } = this.#parts;
    await this.#sql.transaction(function* () {
      const accepted = settled.filter((s) => s.outcome.ok).map((s) => s.item.seq);
      const out = settled.filter((s) => !s.outcome.ok);
      if (accepted.length > 0) yield [`DELETE FROM simpul_outbox WHERE seq IN ${numbers}`, [JSON.stringify(accepted)]];
      const counters = yield* counting(out.map((s) => ({ event: JSON.stringify(s.event ?? null) })));
      for (const { item, event, outcome } of out) {
        if (outcome.ok) continue;
        const problem = JSON.stringify(outcome.fault.problem);
        const { urutanunit, ...extensions } = event?.extensions ?? {};
        // Another relay may have been told the same.
        const changed = yield event === undefined
          ? ['UPDATE simpul_outbox SET fault = $1 WHERE seq = $2 AND fault IS NULL RETURNING seq', [problem, item.seq]]
          : [
              'UPDATE simpul_outbox SET fault = $1, event = $2, numbered = 0 WHERE seq = $3 AND fault IS NULL RETURNING seq',
              [problem, JSON.stringify({ ...event, extensions }), item.seq],
            ];
        if (changed.length > 0 && event !== undefined && Number(urutanunit) > 0)
          counters.release(streamOf(event.type), Number(urutanunit));
      }
      yield* counters.save();
    });
  }

  async refused(): Promise<RefusedEvent[]> {
    const rows = await this.#sql.query(
      'SELECT id, event, queued, fault FROM simpul_outbox WHERE fault IS NOT NULL ORDER BY seq',
      [],
    );
    return rows.map((r) => ({
      event: parsed(r) ?? { type: '?', data: {}, id: String(r['id']), source: '?', time: '?' },
      queuedAt: new Date(Number(r['queued'])),
      fault: JSON.parse(String(r['fault'])) as ProblemDocument,
    }));
  }

  async retry(id: string): Promise<void> {
    const rows = await this.#sql.query(
      'UPDATE simpul_outbox SET fault = NULL WHERE id = $1 AND fault IS NOT NULL RETURNING seq',
      [id],
    );
    if (rows.length === 0) throw new OutboxFault('outbox_unknown_event', id);
  }

  async drop(id: string): Promise<void> {
    const rows = await this.#sql.query('DELETE FROM simpul_outbox WHERE id = $1 AND fault IS NOT NULL RETURNING seq', [
      id,
    ]);
    if (rows.length === 0) throw new OutboxFault('outbox_unknown_event', id);
  }

  async counts(): Promise<RowCounts> {
    const [row] = await this.#sql.query(
      `SELECT sum(CASE WHEN fault IS NULL THEN 1 ELSE 0 END) AS queued, sum(CASE WHEN fault IS NULL THEN 0 ELSE 1 END) AS refused,
        min(CASE WHEN fault IS NULL THEN queued END) AS oldest FROM simpul_outbox`,
      [],
    );
    const { queued, refused, oldest } = row ?? {};
    return {
      queued: Number(queued ?? 0),
      refused: Number(refused ?? 0),
      oldest: oldest === null || oldest === undefined ? undefined : Number(oldest),
    };
  }

  close(): Promise<void> {
    return this.#sql.close();
  }

  /** The numbers of the streams of these rows, locked until the transaction ends. */
  *#counters(rows: readonly Row[]): Work<Numbers & { save(): Work<void> }> {
    const types = rows.map((r) => parsed(r)?.type).filter((t) => t !== undefined);
    const stored = new Map<string, { last: number; free: string }>();
    for (const stream of [...new Set(types.map(streamOf))].toSorted()) {
      yield ["INSERT INTO simpul_outbox_numbers VALUES ($1, 0, '[]') ON CONFLICT (stream) DO NOTHING", [stream]];
      const [row] = yield [
        `SELECT last, free FROM simpul_outbox_numbers WHERE stream = $1 ${this.#parts.forUpdate}`,
        [stream],
      ];
      stored.set(stream, { last: Number(row?.['last'] ?? 0), free: String(row?.['free'] ?? '[]') });
    }
    const writes: [string, number, string][] = [];
    const numbers = new Numbers(
      (stream) => stored.get(stream),
      (...write) => void writes.push(write),
    );
    const save = function* (): Work<void> {
      numbers.store();
      for (const [stream, last, free] of writes)
        yield ['UPDATE simpul_outbox_numbers SET last = $1, free = $2 WHERE stream = $3', [last, free, stream]];
    };
    return Object.assign(numbers, { save });
  }
}

function parsed(row: Row): PreparedEvent | undefined {
  try {
    return (JSON.parse(String(row['event'])) as PreparedEvent | null) ?? undefined;
  } catch {
    return undefined;
  }
}
