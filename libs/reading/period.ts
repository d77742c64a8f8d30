import { parsePosition, timeMsOf, type Position } from '#event';
import { Fault, verbatim, type Text } from '#faults';
import type { EventLog } from '#log';
import type { StreamInfo } from '#registry';
import { texts } from './texts.js';

type Offsets = readonly bigint[];
type PeriodLog = Pick<EventLog, 'describe' | 'read' | 'offsetAt'>;

/**
 * One offset for each partition of a place in a stream: `earliest`, `latest`, an RFC 3339 time (the first record with an append time at or after it)
 * or a position (the other partitions begin at the append time of its record). Resolved once when reading begins; after that only offsets count,
 * so that a page never shifts (R13). `name` is the parameter that the faults point at.
 * Faults: invalid_query, offset_out_of_range, log_unavailable.
 */
export async function offsetsOf(log: PeriodLog, stream: StreamInfo, text: string, name: string): Promise<Offsets> {
  if (text === 'earliest' || text === 'latest') {
    return (await log.describe(stream.name)).map((r) => (text === 'earliest' ? r.low : r.high));
  }
  const position = parsePosition(text);
  if (position !== undefined) return offsetsAtPosition(log, stream, position, name);
  const ms = timeMsOf(text);
  if (ms === undefined) throw invalid(name, texts.not_a_place());
  return offsetsAtTime(log, stream, ms);
}

async function offsetsAtPosition(
  log: PeriodLog,
  stream: StreamInfo,
  position: Position,
  name: string,
): Promise<Offsets> {
  const topic = stream.name;
  if (position.stream !== topic || position.partition >= stream.partitions) {
    throw invalid(name, texts.position_of_another_stream());
  }
  const kept = (await log.describe(topic))[position.partition]!;
  if (position.offset > kept.high) throw invalid(name, texts.position_not_reached());
  const got = await log.read(topic, position.partition, position.offset, { maxRecords: 1 });
  if (got.kind === 'recreated') throw new Fault('stream_recreated');
  if (got.kind === 'truncated') throw new Fault('unknown_cursor');
  if (got.kind === 'out_of_range') {
    throw new Fault('offset_out_of_range', {
      problems: [
        {
          pointer: `?${name}`,
          reason: texts.no_longer_kept(),
          expected: verbatim(`${topic}/${position.partition}/${got.low}`),
        },
      ],
    });
  }
  const record = got.records[0];
  const offsets =
    record === undefined
      ? (await log.describe(topic)).map((r) => r.high)
      : await offsetsAtTime(log, stream, record.appendTimeMs);
  return offsets.map((offset, p) => (p === position.partition ? position.offset : offset));
}

function offsetsAtTime(log: PeriodLog, stream: StreamInfo, ms: number): Promise<Offsets> {
  return Promise.all(Array.from({ length: stream.partitions }, (_, p) => log.offsetAt(stream.name, p, ms)));
}

function invalid(name: string, reason: Text): Fault {
  return new Fault('invalid_query', { problems: [{ pointer: `?${name}`, reason, expected: texts.places() }] });
}
