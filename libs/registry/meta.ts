import type { EventLog } from '#log';
import { openTable, type Table } from '#table';

/**
 * Facts about the deployment. Rows are JSON objects: `stream/<name>` holds partitions and retention, `pseudonym` the fingerprint of the pseudonym key,
 * `view/<name>` the generation that a view is served from.
 */
export const META_TOPIC = '_simpul.meta';
export type MetaRow = Readonly<Record<string, unknown>>;
export interface MetaTable extends Table<MetaRow> {
  /** Calls the listener after each change of a row, whichever process wrote it. Answers how to stop that. */
  onChange(listener: (key: string, row: MetaRow | undefined) => void): () => void;
}

/** Opens the meta table; a process opens it once and shares it between rooms. Fault `log_unavailable`. */
export async function openMeta({ log }: { readonly log: EventLog }): Promise<MetaTable> {
  const listeners = new Set<(key: string, row: MetaRow | undefined) => void>();
  const table = await openTable<MetaRow>({
    log,
    topic: META_TOPIC,
    parse: (value) => {
      const row: unknown = JSON.parse(value.toString());
      if (typeof row !== 'object' || row === null || Array.isArray(row))
        throw new TypeError('no row of the meta table');
      return row as MetaRow;
    },
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onChange: (key, row) => {
      for (const listener of listeners) listener(key, row);
    },
  });
  return Object.assign(table, {
    onChange(listener: (key: string, row: MetaRow | undefined) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
}

export const streamKey = (stream: string): string => `stream/${stream}`;

/** The stream of a `stream/<name>` row: its partitions, and its retention when it has one. undefined for any other row. */
export function streamOfRow(
  key: string,
  row: MetaRow | undefined,
): { stream: string; partitions: number; retentionMs?: number } | undefined {
  const { partitions, retentionMs } = row ?? {};
  if (!key.startsWith('stream/') || typeof partitions !== 'number') return undefined;
  return {
    stream: key.slice('stream/'.length),
    partitions,
    ...(typeof retentionMs === 'number' ? { retentionMs } : {}),
  };
}
