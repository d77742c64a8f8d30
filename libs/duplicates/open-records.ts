import type { LogRecord } from '#log';
import type { StreamPartition } from '#state';
import { decodeEvent, openRecord, type Catalogue, type DecodedEvent, type EventRecord } from '#registry';

/** A record that is never folded: written past the gateway, or broken. */
export interface BadRecord {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly code: 'foreign_record' | 'corrupt_record';
}

export interface OpenRecordsDeps {
  readonly catalogue: Catalogue;
  readonly refresh?: () => Promise<void>;
  readonly watch?: { bad?(record: BadRecord): void };
}

/** The events among records of a partition. Foreign and corrupt ones are told when `tell`, and left out. */
export async function openRecords(
  deps: OpenRecordsDeps,
  at: StreamPartition,
  records: readonly LogRecord[],
  tell: boolean,
): Promise<EventRecord[]> {
  const events: EventRecord[] = [];
  let refreshed = false;
  for (const record of records) {
    let opened = openRecord(record, deps.catalogue);
    if (opened.kind === 'unknown_schema' && !refreshed) {
      // The catalogue follows its topic: the schema may have been registered a moment ago.
      refreshed = true;
      await deps.refresh?.();
      opened = openRecord(record, deps.catalogue);
    }
    if (opened.kind === 'event') events.push(opened);
    else if (tell) bad(deps, at, record, opened.kind === 'foreign' ? 'foreign_record' : 'corrupt_record');
  }
  return events;
}

/** The event with its data; what cannot be read is told and left out. */
export function decodeOrTell(deps: OpenRecordsDeps, at: StreamPartition, e: EventRecord): DecodedEvent | undefined {
  const event = decodeEvent(e, at.stream, at.partition);
  if (!event) bad(deps, at, e.record, 'corrupt_record');
  return event;
}

function bad(
  deps: OpenRecordsDeps,
  { stream, partition }: StreamPartition,
  { offset }: LogRecord,
  code: 'foreign_record' | 'corrupt_record',
): void {
  deps.watch?.bad?.({ stream, partition, offset, code });
}
