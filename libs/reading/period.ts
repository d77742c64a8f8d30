import { parsePosition, timeMsOf } from '#event';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { StreamInfo } from '#registry';

const FORMS = 'earliest · latest · time with zone · position';

/**
 * R13: `earliest`, `latest`, a time (first record recorded at or after it) or a position, as one offset per partition. Of a position the other
 * partitions begin where its record was recorded. Resolved once; from there only offsets count. Faults invalid_query, offset_out_of_range.
 */
export async function offsetsOf(
  log: EventLog,
  stream: StreamInfo,
  text: string,
  name: string,
): Promise<readonly bigint[]> {
  const { name: topic } = stream;
  if (text === 'earliest' || text === 'latest') {
    return (await log.describe(topic)).map((r) => (text === 'earliest' ? r.low : r.high));
  }
  const position = parsePosition(text);
  if (position === undefined) {
    const ms = timeMsOf(text);
    if (ms === undefined) throw invalid(name, 'not a place in a stream');
    return atTime(log, stream, ms);
  }
  if (position.stream !== topic || position.partition >= stream.partitions) {
    throw invalid(name, 'not a position of this stream');
  }
  const range = (await log.describe(topic))[position.partition]!;
  if (position.offset > range.high) throw invalid(name, 'a position that the stream has not reached');
  const got = await log.read(topic, position.partition, position.offset, { maxRecords: 1 });
  if (got.kind === 'out_of_range') {
    throw new Fault('offset_out_of_range', {
      problems: [
        { pointer: `?${name}`, reason: 'no longer kept', expected: `${topic}/${position.partition}/${got.low}` },
      ],
    });
  }
  const first = got.records[0];
  const others =
    first === undefined
      ? (await log.describe(topic)).map((r) => r.high)
      : await atTime(log, stream, first.appendTimeMs);
  return others.map((offset, p) => (p === position.partition ? position.offset : offset));
}

function atTime(log: EventLog, stream: StreamInfo, ms: number): Promise<readonly bigint[]> {
  return Promise.all(Array.from({ length: stream.partitions }, (_, p) => log.offsetAt(stream.name, p, ms)));
}

function invalid(name: string, reason: string): Fault {
  return new Fault('invalid_query', { problems: [{ pointer: `?${name}`, reason, expected: FORMS }] });
}
