import { isTypeName } from '#event';
import { createIds, newEvent, orderingKeyOf, type EventToken, type NewEvent, type ToPublish } from '#sdk';
import { OutboxFault } from './fault.js';
import type { PublishOptions } from './publisher.js';
import { namedFault, sqliteRows, type PgClient, type Row, type SqliteDatabase } from './sql.js';

/** An event in the unit's own database. It is queued when the transaction commits, and gone when it is rolled back. */
export interface StoredEvent {
  readonly status: 'queued';
  readonly id: string;
}

type Attributes = Omit<NewEvent, 'type' | 'data' | 'dataschema'> & Pick<PublishOptions, 'urgent'>;

/** The outbox in a transaction of SQLite, which is synchronous. */
export interface SqliteOutbox {
  publish(event: NewEvent, options?: Pick<PublishOptions, 'urgent'>): StoredEvent;
  publish<T extends object>(token: EventToken<T>, data: ToPublish<T>, attributes?: Attributes): StoredEvent;
}

/** The outbox in a transaction of PostgreSQL. */
export interface PgOutbox {
  publish(event: NewEvent, options?: Pick<PublishOptions, 'urgent'>): Promise<StoredEvent>;
  publish<T extends object>(token: EventToken<T>, data: ToPublish<T>, attributes?: Attributes): Promise<StoredEvent>;
}

const newId = createIds();
/** Class of the advisory locks: `smpl` */
const LOCK = 0x73_6d_70_6c;
const URGE = 'UPDATE simpul_outbox SET urgent = 1 WHERE key = $1 AND urgent = 0 AND fault IS NULL';
const INSERT =
  'INSERT INTO simpul_outbox (id, key, urgent, event, queued) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING RETURNING seq';
const FIND = 'SELECT event FROM simpul_outbox WHERE id = $1';

/** The lock of a key, and the transaction that holds it. */
const LOCK_KEY = 'SELECT pg_advisory_xact_lock($1::int, hashtext($2)), pg_current_xact_id()::text AS xid';
/** Outside a transaction each statement is one of its own: it has no number yet, and writes nothing. */
const INSERT_IN = `INSERT INTO simpul_outbox (id, key, urgent, event, queued)
  SELECT $1::text, $2::text, $3::smallint, $4::text, $5::bigint WHERE pg_current_xact_id_if_assigned()::text = $6
  ON CONFLICT (id) DO NOTHING RETURNING seq`;
const FIND_IN = `SELECT pg_current_xact_id_if_assigned()::text = $2 AS open, (SELECT event FROM simpul_outbox WHERE id = $1) AS event`;

interface ToStore {
  readonly event: NewEvent & { readonly id: string; readonly time: string };
  readonly key: string;
  readonly urgent: boolean;
}

/**
 * The outbox in the transaction of a unit, so that its row and the event commit together. The tables (`outboxTables`) are in the same database, and a relay
 * (`createRelay`) sends what is committed. `tx`: a client of `pg` after BEGIN, or a database of node:sqlite or better-sqlite3 in a transaction.
 *
 * Of one ordering key the order is the order of the commits: on PostgreSQL the transaction holds an advisory lock of the key until it ends, so two transactions
 * about one case wait for each other, and two that publish about several cases in different order may be a deadlock, which PostgreSQL ends (40P01; run it again).
 *
 * Throws `OutboxFault` `outbox_no_transaction`, `outbox_no_tables`, `outbox_invalid_event`, `outbox_id_reused`, and what the database throws.
 */
export function outboxIn(tx: SqliteDatabase): SqliteOutbox;
export function outboxIn(tx: PgClient): PgOutbox;
export function outboxIn(tx: SqliteDatabase | PgClient): SqliteOutbox | PgOutbox {
  if ('query' in tx) {
    if (typeof (tx as { totalCount?: unknown }).totalCount === 'number')
      throw new OutboxFault('outbox_no_transaction', 'pool');
    return { publish: async (...given: Given) => inPostgres(tx, stored(given)) } as PgOutbox;
  }
  return { publish: (...given: Given) => inSqlite(tx, stored(given)) } as SqliteOutbox;
}

type Given = [first: NewEvent | EventToken, second?: object, third?: Attributes];

function stored([first, second = {}, third = {}]: Given): ToStore {
  const isToken = 'schema' in first;
  const { urgent = false, ...attributes } = isToken ? third : (second as Attributes);
  const event = isToken ? newEvent(first, second, attributes) : first;
  if (typeof event.type !== 'string' || !isTypeName(event.type))
    throw new OutboxFault('outbox_invalid_event', `type ${String(event.type)}`);
  const prepared = { ...event, id: event.id ?? newId(), time: event.time ?? new Date().toISOString() };
  return { event: prepared, key: orderingKeyOf(prepared), urgent };
}

const valuesOf = ({ event, key, urgent }: ToStore): unknown[] => [
  event.id,
  key,
  urgent ? 1 : 0,
  JSON.stringify(event),
  Date.now(),
];

function inSqlite(db: SqliteDatabase, row: ToStore): StoredEvent {
  const { isTransaction, inTransaction } = db as { readonly isTransaction?: boolean; readonly inTransaction?: boolean };
  if ((isTransaction ?? inTransaction) === false) throw new OutboxFault('outbox_no_transaction', 'sqlite');
  try {
    if (row.urgent) sqliteRows(db, URGE, [row.key]);
    const made = sqliteRows(db, INSERT, valuesOf(row));
    if (made.length === 0) sameAs(row, sqliteRows(db, FIND, [row.event.id])[0]);
  } catch (e) {
    throw namedFault(e);
  }
  return { status: 'queued', id: row.event.id };
}

async function inPostgres(tx: PgClient, row: ToStore): Promise<StoredEvent> {
  try {
    const { rows } = await tx.query(LOCK_KEY, [LOCK, row.key]);
    const xid = rows[0]?.['xid'];
    if (row.urgent) await tx.query(URGE, [row.key]);
    const made = await tx.query(INSERT_IN, [...valuesOf(row), xid]);
    if (made.rows.length === 0) {
      const found = await tx.query(FIND_IN, [row.event.id, xid]);
      if (found.rows[0]?.['open'] !== true) throw new OutboxFault('outbox_no_transaction', 'pg');
      sameAs(row, found.rows[0]);
    }
  } catch (e) {
    throw namedFault(e);
  }
  return { status: 'queued', id: row.event.id };
}

/** The same event again is stored once; another one with its id is a mistake. */
function sameAs({ event }: ToStore, found: Row | undefined): void {
  const { type, data } = JSON.parse(String(found?.['event'] ?? '{}')) as Partial<NewEvent>;
  if (type !== event.type || JSON.stringify(data) !== JSON.stringify(event.data))
    throw new OutboxFault('outbox_id_reused', event.id);
}
