import { parsePosition } from '#event';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { Reading } from '#reading';
import type { StreamInfo } from '#registry';
import type { CursorRow } from '../port.js';

export interface StartsDeps {
  readonly log: Pick<EventLog, 'describe' | 'read'>;
  readonly reading: Pick<Reading, 'begin'>;
}

/**
 * Where a subscription begins in each stream, resolved once: `now`, `earliest`, `end`, an RFC 3339 time, or a position. Streams other than that of a position begin at
 * the time at which the log accepted its event. Faults: `invalid_query`, `offset_out_of_range`, `log_unavailable`.
 */
export async function startsOf(
  deps: StartsDeps,
  streams: readonly StreamInfo[],
  start: string,
): Promise<ReadonlyMap<string, CursorRow>> {
  const rows = new Map<string, CursorRow>();
  const position = parsePosition(start);
  let from = start === 'now' || start === 'end' ? 'latest' : start;
  if (position !== undefined && streams.some((s) => s.name !== position.stream)) from = await timeAt(deps.log, start);
  await Promise.all(
    streams.map(async (stream) => {
      const here = stream.name === position?.stream ? start : from;
      const { topicId, next } = await deps.reading.begin(stream, { from: here });
      rows.set(stream.name, { topicId, next, start: next, done: {} });
    }),
  );
  return rows;
}

async function timeAt(log: StartsDeps['log'], text: string): Promise<string> {
  const { stream, partition, offset } = parsePosition(text)!;
  const got = await log.read(stream, partition, offset, { maxRecords: 1 });
  const [record] = got.kind === 'records' ? got.records : [];
  if (record === undefined) throw new Fault('invalid_query', { detail: text });
  return new Date(record.appendTimeMs).toISOString();
}

/** Every event of the stream, also those that are older than the subscription: for a stream or type that is younger. */
export async function fromBeginning(deps: StartsDeps, stream: StreamInfo): Promise<CursorRow> {
  const { topicId, next } = await deps.reading.begin(stream, { from: 'earliest' });
  return { topicId, next, start: next, done: {} };
}
