import { kGetApi, Producer, type API, type Callback, type produceV11 } from '@platformatic/kafka';
import { jittered } from '#concurrency';
import { partitionKey } from '#event';
import { headerNameBytes, type NewRecord } from '#log';
import type { KafkaLogOptions } from '../options.js';
import type { Written } from '../types.js';
import { clientOptions, rotateBrokers } from './client.js';

interface LibraryRecord {
  topic: string;
  partition: number;
  timestamp: bigint;
  key: Buffer;
  value: Buffer;
  headers: Map<Buffer, Buffer>;
}

/** Records as the library takes them. It writes null as null, whatever its types say. */
function libraryRecords(topic: string, partition: number, records: readonly NewRecord[], now: number): LibraryRecord[] {
  const timestamp = BigInt(now);
  return records.map((r) => ({
    topic,
    partition,
    timestamp,
    key: r.key as Buffer,
    value: r.value as Buffer,
    headers: libraryHeaders(r),
  }));
}

function libraryHeaders(record: NewRecord): Map<Buffer, Buffer> {
  const out = new Map<Buffer, Buffer>();
  for (const [name, value] of record.headers) {
    const bytes = headerNameBytes(name);
    // a header name that repeats needs a Buffer object of its own, because Map compares by identity
    out.set(out.has(bytes) ? Buffer.from(bytes) : bytes, value as Buffer);
  }
  return out;
}

/** The library gives the offset of a written batch but drops its LogAppendTime: this class reads the time from the Produce answers. */
class TimedProducer extends Producer {
  readonly #times = new Map<string, { base: bigint; appendTimeMs: number }>();

  override [kGetApi]<A extends unknown[], R>(name: string, callback: Callback<API<A, R>>): void {
    super[kGetApi]<A, R>(name, (error, api) => {
      callback(error, error || !api || name !== 'Produce' ? api : (this.#recordTimes(api as never) as never));
    });
  }

  #recordTimes(api: (...args: unknown[]) => void): (...args: unknown[]) => void {
    return (...args) => {
      const done = args.pop() as Callback<produceV11.ProduceResponse>;
      api(...args, (error: Error | null, answer?: produceV11.ProduceResponse) => {
        for (const topic of answer?.responses ?? [])
          for (const p of topic.partitionResponses)
            this.#times.set(partitionKey(topic.name, p.index), {
              base: p.baseOffset,
              appendTimeMs: Number(p.logAppendTimeMs),
            });
        done(error, answer);
      });
    };
  }

  timeOf(topic: string, partition: number, base: bigint): number | undefined {
    const seen = this.#times.get(partitionKey(topic, partition));
    return seen !== undefined && seen.base === base && seen.appendTimeMs >= 0 ? seen.appendTimeMs : undefined;
  }
}

function writtenOf(
  producer: TimedProducer,
  topic: string,
  offsets: readonly { topic: string; partition: number; offset: bigint }[] | undefined,
  now: number,
): Written | undefined {
  const only = offsets?.length === 1 ? offsets[0] : undefined;
  if (only?.topic !== topic || only.offset < 0n) return undefined;
  return {
    partition: only.partition,
    base: only.offset,
    appendTimeMs: producer.timeOf(topic, only.partition, only.offset) ?? now,
  };
}

/** The producer of one transactional id. begin() fences every earlier producer of this id. */
export class Transactor {
  readonly #producer: TimedProducer;

  constructor(options: KafkaLogOptions, transactionalId: string) {
    this.#producer = rotateBrokers(
      new TimedProducer({
        ...clientOptions(options, 'writer'),
        transactionalId,
        idempotent: true,
        // explicitly none: the library would otherwise send an id of its own, and the coordinator would fence this producer instead of the earlier one
        producerId: -1n,
        producerEpoch: -1,
        timeout: 10_000,
        retries: Number.MAX_SAFE_INTEGER,
        retryDelay: () => jittered(20),
        autocreateTopics: false,
      }),
    );
  }

  /** Takes over the transactional id (the first call only) and begins a transaction. */
  async begin(): Promise<void> {
    if (!this.#producer.transaction) await this.#producer.beginTransaction();
  }

  /** Writes the records in one transaction, all or none. undefined: the answer names no offset. */
  async write(topic: string, partition: number, records: readonly NewRecord[]): Promise<Written | undefined> {
    await this.begin();
    const now = Date.now();
    const transaction = this.#producer.transaction!;
    const { offsets } = (await transaction.send({
      messages: libraryRecords(topic, partition, records, now),
    })) as { offsets?: { topic: string; partition: number; offset: bigint }[] };
    const written = writtenOf(this.#producer, topic, offsets, now);
    await transaction.commit();
    return written;
  }

  async close(): Promise<void> {
    await this.#producer.close(true);
  }
}
