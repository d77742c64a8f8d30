import type { EventLog } from '#log';
import { openTable, type Table } from '#table';

/** What a deployment is: `stream/<name>` partitions and retention, `pseudonym` fingerprint, `view/<name>` serving generation. Rows are JSON objects. */
export const META_TOPIC = '_simpul.meta';
export type MetaRow = Readonly<Record<string, unknown>>;
export interface MetaTable extends Table<MetaRow> {
  /** Told after a row changed, whoever wrote it. Answers how to stop that. */
  onChange(listener: (key: string, row: MetaRow | undefined) => void): () => void;
}

/** Opens the meta table; one a process, shared by the rooms. Fault log_unavailable. */
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
      for (const tell of listeners) tell(key, row);
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

/** What a `stream/<name>` row says: `{partitions}`, and `retentionMs` for a stream that forgets. */
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
