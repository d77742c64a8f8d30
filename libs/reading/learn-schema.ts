import type { LogRecord } from '#log';
import { openRecord, type Catalogue } from '#registry';

export interface Schemas {
  readonly catalogue: Pick<Catalogue, 'bySchemaId'>;
  /** Reads the catalogue to its end. Fault log_unavailable. @default the catalogue is never behind the log */
  readonly refresh?: (() => Promise<void>) | undefined;
}

/**
 * Whether a record that cannot be opened can be now: it names a schema that another process registered a moment ago, and the catalogue was behind. Fault
 * log_unavailable: then nobody knows, and the record is not passed.
 */
export async function learnSchema({ catalogue, refresh }: Schemas, record: LogRecord): Promise<boolean> {
  if (refresh === undefined || !isUnknown(record, catalogue)) return false;
  await refresh();
  return !isUnknown(record, catalogue);
}

const isUnknown = (record: LogRecord, catalogue: Schemas['catalogue']): boolean =>
  openRecord(record, catalogue).kind === 'unknown_schema';
