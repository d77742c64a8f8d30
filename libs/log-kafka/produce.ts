import { ByteReader, ByteWriter, unsignedSize } from '#kafka-records';

/** The Produce request and its answer, in the versions 9 to 11, which have the same fields. */

/** acks: the leader answers when all in-sync replicas have the batch. */
const ACKS_ALL = -1;

/** One partition of a Produce request. */
export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  /** From encodeBatch. */
  readonly batch: Buffer;
}

/** Body of a Produce request: acks=all, no transaction. Each partition at most once. */
export function encodeProduce(parts: readonly ProducedPartition[], timeoutMs: number): Buffer {
  const topics = Map.groupBy(parts, (p) => p.topic);
  let size = 1 + 2 + 4 + unsignedSize(topics.size + 1) + 1;
  for (const [name, list] of topics) {
    const length = Buffer.byteLength(name);
    size += unsignedSize(length + 1) + length + unsignedSize(list.length + 1) + 1;
    for (const p of list) size += 4 + unsignedSize(p.batch.length + 1) + p.batch.length + 1;
  }
  const out = new ByteWriter(Buffer.allocUnsafe(size));
  const { bytes } = out;
  bytes[out.at++] = 0; // no transactional id
  bytes.writeInt16BE(ACKS_ALL, out.at);
  bytes.writeInt32BE(timeoutMs, out.at + 2);
  out.at += 6;
  out.unsigned(topics.size + 1);
  for (const [name, list] of topics) {
    out.unsigned(Buffer.byteLength(name) + 1);
    out.at += bytes.write(name, out.at);
    out.unsigned(list.length + 1);
    for (const p of list) {
      bytes.writeInt32BE(p.partition, out.at);
      out.at += 4;
      out.unsigned(p.batch.length + 1);
      out.put(p.batch);
      bytes[out.at++] = 0;
    }
    bytes[out.at++] = 0;
  }
  bytes[out.at++] = 0;
  return bytes;
}

/** The answer for one partition of a Produce request. */
export interface ProduceOutcome {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's error code; ERROR.NONE: written by all in-sync replicas. */
  readonly error: number;
  /** Offset of the first record; -1: the broker does not know it. */
  readonly base: bigint;
  /** LogAppendTime, ms since 1970; -1 when the topic keeps the producer's time. */
  readonly appendTimeMs: number;
  readonly text: string | undefined;
}

export interface ProduceAnswer {
  readonly outcomes: readonly ProduceOutcome[];
  /** Quota: the broker reads nothing more from this connection for so long (KIP-219). */
  readonly throttleMs: number;
}

/** Body of a Produce answer. Throws RangeError when it is cut off. */
export function decodeProduce(body: Buffer): ProduceAnswer {
  const c = new ByteReader(body);
  const out: ProduceOutcome[] = [];
  for (let topics = c.unsigned() - 1; topics > 0; topics--) {
    const topic = c.compactText() ?? '';
    for (let n = c.unsigned() - 1; n > 0; n--) {
      const partition = c.int32();
      const error = c.int16();
      const base = c.int64();
      const appendTimeMs = Number(c.int64());
      c.int64(); // log start offset
      // the records that the broker names as the reason of an error
      for (let e = c.unsigned() - 1; e > 0; e--) {
        c.int32();
        c.compactText();
        c.skipTags();
      }
      out.push({ topic, partition, error, base, appendTimeMs, text: c.compactText() });
      c.skipTags();
    }
    c.skipTags();
  }
  return { outcomes: out, throttleMs: c.int32() };
}
