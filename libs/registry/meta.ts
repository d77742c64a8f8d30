import type { EventLog } from '#log';
import { Fault } from '#faults';
import { openTable, type Table, type TableReport } from '#table';

/**
 * Facts about the deployment. Rows are JSON objects: `stream/<name>` holds partitions, retention and whose its pseudonyms are, `cursors` until when cursors of earlier versions are read, `pseudonym` the fingerprint of the pseudonym key,
 * `view/<name>` the generation that a view is served from.
 */
export const META_TOPIC = '_simpul.meta';
/** Key of the row with the fingerprint of the pseudonym key. */
export const PSEUDONYM_KEY = 'pseudonym';
export type MetaRow = Readonly<Record<string, unknown>>;
export interface MetaTable extends Table<MetaRow> {
  /** Calls the listener after each change of a row, whichever process wrote it. Answers how to stop that. */
  onChange(listener: (key: string, row: MetaRow | undefined) => void): () => void;
}

export interface MetaDeps {
  readonly log: EventLog;
  readonly report?: TableReport | undefined;
}

/** Opens the meta table; a process opens it once and shares it between rooms. Fault `log_unavailable`. */
export async function openMeta({ log, report }: MetaDeps): Promise<MetaTable> {
  const listeners = new Set<(key: string, row: MetaRow | undefined) => void>();
  const table = await openTable<MetaRow>({
    log,
    topic: META_TOPIC,
    parse: parseRow,
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onChange: (key, row) => {
      for (const listener of listeners) listener(key, row);
    },
    report,
  });
  return Object.assign(table, {
    onChange(listener: (key: string, row: MetaRow | undefined) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
}

function parseRow(value: Buffer, key: string): MetaRow {
  const row: unknown = JSON.parse(value.toString());
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new TypeError('no row of the meta table');
  const { partitions, fingerprint } = row as MetaRow;
  if (streamOfKey(key) !== undefined && !Number.isSafeInteger(partitions)) throw new TypeError('no partitions');
  if (key === PSEUDONYM_KEY && typeof fingerprint !== 'string') throw new TypeError('no fingerprint');
  return row as MetaRow;
}

/**
 * For a decision that would make a row where there is none: a row that cannot be read is not missing. A second pseudonym fingerprint or another number of
 * partitions would be for ever. Fault `control_record_unreadable`.
 */
export function refuseDamaged(meta: Pick<MetaTable, 'damaged'>, key: string): void {
  if (meta.damaged.has(key)) throw new Fault('control_record_unreadable', { detail: `${META_TOPIC}: ${key}` });
}

/** Member `pseudonyms` of the row of a stream whose pseudonyms are its own. Absent in rows of earlier versions. */
export const OWN_PSEUDONYMS = 'stream';

export const streamKey = (stream: string): string => `stream/${stream}`;

/** The stream of a key `stream/<name>`; undefined for any other key. */
export function streamOfKey(key: string): string | undefined {
  return key.startsWith('stream/') ? key.slice('stream/'.length) : undefined;
}

/** The stream of a `stream/<name>` row: its partitions, and its retention when it has one. undefined for any other row. */
export function streamOfRow(
  key: string,
  row: MetaRow | undefined,
): { stream: string; partitions: number; retentionMs?: number; ownPseudonyms: boolean } | undefined {
  const { partitions, retentionMs, pseudonyms } = row ?? {};
  const stream = streamOfKey(key);
  if (stream === undefined || typeof partitions !== 'number') return undefined;
  return {
    stream,
    partitions,
    ...(typeof retentionMs === 'number' ? { retentionMs } : {}),
    ownPseudonyms: pseudonyms === OWN_PSEUDONYMS,
  };
}
