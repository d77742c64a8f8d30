import type { LogRecord } from '#log';
import { openRecord, type Catalogue, type EventRecord } from '#registry';
import type { StreamPartition } from '#state';

/** A record that no view folds: not written by a gateway (`foreign_record`), or broken (`corrupt_record`). */
export interface BadRecord {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly code: 'foreign_record' | 'corrupt_record';
}

export interface OpenRecordsDeps {
  readonly catalogue: Catalogue;
  /** Reads the catalogue to its end: called when a record names an unknown schema id, before it is reported as corrupt. */
  readonly refresh?: () => Promise<void>;
  readonly report?: { badRecord?(record: BadRecord): void };
}

/** The events among records of a partition. Foreign and corrupt records are left out, and reported if `report`. */
export async function openRecords(
  deps: OpenRecordsDeps,
  { stream, partition }: StreamPartition,
  records: readonly LogRecord[],
  report: boolean,
): Promise<EventRecord[]> {
  const events: EventRecord[] = [];
  let refreshed = false;
  for (const record of records) {
    let opened = openRecord(record, deps.catalogue);
    if (opened.kind === 'unknown_schema' && !refreshed) {
      // The catalogue follows its topic with a delay: the schema may have been registered a moment ago.
      refreshed = true;
      await deps.refresh?.();
      opened = openRecord(record, deps.catalogue);
    }
    if (opened.kind === 'event') events.push(opened);
    else if (report) {
      const code = opened.kind === 'foreign' ? 'foreign_record' : 'corrupt_record';
      deps.report?.badRecord?.({ stream, partition, offset: record.offset, code });
    }
  }
  return events;
}
