import { KafkaSourceFault } from './faults.js';
import type { KafkaOptions, OutOfRange } from './options.js';

interface Kept {
  readonly feed: string;
  readonly low: bigint;
  readonly high: bigint;
}

/**
 * Where a feed begins whose group has stored this place; negative: none. Kafka's own tools store −1 and −2 for the end and the beginning. Throws KafkaSourceFault
 * `offset_out_of_range`.
 */
export function startOf({ feed, low, high }: Kept, stored: number, options: KafkaOptions): number {
  if (stored < 0) return Number(options.from === 'latest' ? high : low);
  if (stored >= low && stored <= high) return stored;
  const why = stored < low ? 'retention' : 'truncated';
  tellRange({ feed, wanted: String(stored), low: String(low), high: String(high), why }, options);
  return Number(low);
}

/** Tells it. Throws KafkaSourceFault `offset_out_of_range` unless the source is to go on at the first event. */
export function tellRange(found: OutOfRange, { report, outOfRange = 'stop' }: KafkaOptions): void {
  const { feed, wanted, low, high, why } = found;
  const line = `${feed}: place ${wanted} is out of range (${why}); the log has ${low} to ${high}`;
  if (report?.outOfRange) report.outOfRange(found);
  else process.emitWarning(line, 'SimpulKafka');
  if (outOfRange === 'stop')
    throw new KafkaSourceFault(
      'offset_out_of_range',
      `${line}; find out what was missed, then start once with outOfRange: 'earliest'`,
    );
}
