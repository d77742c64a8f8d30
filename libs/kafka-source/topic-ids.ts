import type { Broker } from 'kafkajs';
import { sendOwn } from './own-request.js';

/** Metadata 12 is the first version that every broker with topic ids speaks and that takes names (KIP-516); kafkajs ends at 6. */
const METADATA = { apiKey: 3, apiVersion: 12, apiName: 'Metadata' } as const;
const UNKNOWN_TOPIC = 3;
const FORBIDDEN = 29;
/** Bit of the operation READ. */
const READ = 1 << 3;

/** What a cluster says of a topic. `id`: 32 hex digits that change when the topic is deleted and made again. */
export interface TopicFacts {
  /** Error code of Kafka; 0: none. */
  readonly error: number;
  readonly id: string;
  /** Bits of what the user of the client may do with it (KIP-430); negative: the broker does not say. */
  readonly rights: number;
}

/** Whether the topic does not exist, as far as the user of the client may know. */
export const isUnknown = ({ error }: TopicFacts): boolean => error === UNKNOWN_TOPIC;

/** Whether the user may not read the topic, or not even know of it. */
export const isForbidden = ({ error, rights }: TopicFacts): boolean =>
  error === FORBIDDEN || (error === 0 && rights >= 0 && (rights & READ) === 0);

/** The ids of topics, by name, from any broker. Rejects with errors of kafkajs. */
export function topicFacts(broker: Broker, topics: readonly string[]): Promise<ReadonlyMap<string, TopicFacts>> {
  return sendOwn(broker, METADATA, requestOf(topics), factsIn);
}

const NO_ID = Buffer.alloc(16);
const NO_TAGS = Buffer.from([0]);

/** With the tagged fields that end a request header of version 2, which kafkajs does not write. */
export function requestOf(topics: readonly string[]): Buffer {
  const names = topics.flatMap((topic) => {
    const name = Buffer.from(topic);
    return [NO_ID, varint(name.length + 1), name, NO_TAGS];
  });
  const [autoCreate, operations] = [Buffer.from([0]), Buffer.from([1])];
  return Buffer.concat([NO_TAGS, varint(topics.length + 1), ...names, autoCreate, operations, NO_TAGS]);
}

function varint(n: number): Buffer {
  const bytes: number[] = [];
  for (; n > 127; n >>>= 7) bytes.push((n & 127) | 128);
  return Buffer.from([...bytes, n]);
}

/** `bytes`: behind the correlation id. */
export function factsIn(bytes: Buffer): ReadonlyMap<string, TopicFacts> {
  const c = new Reader(bytes);
  c.tags();
  c.skip(4);
  c.list(() => {
    c.skip(4);
    c.text();
    c.skip(4);
    c.text();
    c.tags();
  });
  c.text();
  c.skip(4);
  const found = new Map<string, TopicFacts>();
  c.list(() => {
    const error = c.int16();
    const name = c.text();
    const id = c.skip(16).toString('hex');
    c.skip(1);
    c.list(() => {
      c.skip(2 + 4 + 4 + 4);
      for (let i = 0; i < 3; i++) c.list(() => void c.skip(4));
      c.tags();
    });
    const rights = c.skip(4).readInt32BE();
    c.tags();
    found.set(name, { error, id, rights });
  });
  return found;
}

class Reader {
  #at = 0;
  constructor(readonly bytes: Buffer) {}

  skip(length: number): Buffer {
    if (this.#at + length > this.bytes.length) throw new RangeError('answer of Metadata ends early');
    return this.bytes.subarray(this.#at, (this.#at += length));
  }

  int16(): number {
    return this.skip(2).readInt16BE();
  }

  varint(): number {
    let n = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.skip(1)[0]!;
      n |= (byte & 127) << shift;
      if (byte < 128) return n >>> 0;
    }
  }

  /** A compact string; empty for null. */
  text(): string {
    const length = this.varint();
    return length === 0 ? '' : this.skip(length - 1).toString();
  }

  list(item: () => void): void {
    for (let n = this.varint(); n > 1; n--) item();
  }

  tags(): void {
    for (let n = this.varint(); n > 0; n--) {
      this.varint();
      this.skip(this.varint());
    }
  }
}
