import { formatPosition, isTime, parsePosition } from '#event';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { Reading } from '#reading';
import type { StreamInfo } from '#registry';
import type { CursorRow } from '../port.js';

export interface StartsDeps {
  readonly log: Pick<EventLog, 'describe' | 'read'>;
  readonly reading: Pick<Reading, 'begin'>;
}

/** By stream: a cursor of a reader of that stream, or a place as in `start`. */
export type Starts = Readonly<Record<string, string>>;

/**
 * Where a subscription begins in each stream, resolved once: `now`, `earliest`, `end`, an RFC 3339 time, or a position. Streams other than that of a position begin at
 * the time at which the log accepted its event. `starts` counts before `start`. Faults: `invalid_query`, `unknown_cursor`, `stream_recreated`, `offset_out_of_range`, `log_unavailable`.
 */
export async function startsOf(
  deps: StartsDeps,
  streams: readonly StreamInfo[],
  start: string,
  starts: Starts = {},
): Promise<ReadonlyMap<string, CursorRow>> {
  const rows = new Map<string, CursorRow>();
  const position = parsePosition(start);
  let from = start === 'now' || start === 'end' ? 'latest' : start;
  if (position !== undefined && streams.some((s) => s.name !== position.stream)) from = await timeAt(deps.log, start);
  await Promise.all(
    streams.map(async (stream) => {
      const own = Object.hasOwn(starts, stream.name) ? starts[stream.name]! : undefined;
      const here = own ?? (stream.name === position?.stream ? start : from);
      const { topicId, next } = await deps.reading.begin(stream, isCursor(own) ? { cursor: own } : { from: here });
      if (isCursor(own)) await checkWithin(deps.log, stream.name, next);
      rows.set(stream.name, { topicId, next, start: next, done: {} });
    }),
  );
  return rows;
}

const isCursor = (own: string | undefined): own is string =>
  own !== undefined && own !== 'earliest' && parsePosition(own) === undefined && !isTime(own);

/** A cursor may be old, or of another log: a subscription that stands still at once helps nobody. */
async function checkWithin(log: StartsDeps['log'], stream: string, next: readonly bigint[]): Promise<void> {
  for (const { partition, low, high } of await log.describe(stream)) {
    const offset = next[partition] ?? 0n;
    if (offset > high) throw new Fault('unknown_cursor', { detail: `${stream}/${partition}` });
    if (offset < low) throw new Fault('offset_out_of_range', { detail: formatPosition(stream, partition, low) });
  }
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
