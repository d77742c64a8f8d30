import { Cursor } from './decode.js';

/** What the broker answers for one partition of a produce request. */
export interface ProduceOutcome {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's error code, 0 = written by all in sync. */
  readonly error: number;
  readonly base: bigint;
  /** -1 when the topic keeps the producer's times. */
  readonly timeMs: number;
  readonly text: string | undefined;
}

/** Body of a Produce answer, version 9. Throws RangeError when it is cut. */
export function decodeProduce(body: Buffer): ProduceOutcome[] {
  const c = new Cursor(body);
  const out: ProduceOutcome[] = [];
  for (let topics = c.unsigned() - 1; topics > 0; topics--) {
    const topic = text(c) ?? '';
    for (let n = c.unsigned() - 1; n > 0; n--) {
      const partition = c.int32();
      const error = c.int16();
      const base = c.int64();
      const timeMs = Number(c.int64());
      c.int64(); // first offset kept
      for (let e = c.unsigned() - 1; e > 0; e--) {
        c.int32();
        text(c);
        c.skipTags();
      }
      out.push({ topic, partition, error, base, timeMs, text: text(c) });
      c.skipTags();
    }
    c.skipTags();
  }
  return out;
}

function text(c: Cursor): string | undefined {
  const length = c.unsigned() - 1;
  if (length < 0) return undefined;
  const end = c.at + length;
  if (end > c.bytes.length) throw new RangeError('text past the end');
  const value = c.bytes.toString('utf8', c.at, end);
  c.at = end;
  return value;
}
