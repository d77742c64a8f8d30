import type { Broker } from 'kafkajs';
import { createRequire } from 'node:module';

interface Encoder {
  writeBuffer(bytes: Buffer): Encoder;
}
interface WithConnections {
  readonly connectionPool: {
    send<T>(call: {
      readonly request: RequestKind & { encode(): Promise<Encoder> };
      readonly response: { decode(bytes: Buffer): Promise<T>; parse(answer: T): Promise<T> };
    }): Promise<T>;
  };
}

const require = createRequire(import.meta.url);
const KafkaEncoder = require('kafkajs/src/protocol/encoder') as new () => Encoder;

export interface RequestKind {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
}

/**
 * A request that kafkajs lacks, or whose answer it reads at a great cost, over its connections: login, time-outs and throttling are those of kafkajs. `body`: behind
 * the request header of version 1. `read` gets the answer behind the correlation id. Rejects with errors of kafkajs, and with what `read` throws.
 */
export async function sendOwn<T>(
  broker: Broker,
  kind: RequestKind,
  body: Buffer,
  read: (bytes: Buffer) => T,
): Promise<T> {
  const { connectionPool } = broker as unknown as WithConnections;
  return connectionPool.send({
    request: { ...kind, encode: () => Promise.resolve(new KafkaEncoder().writeBuffer(body)) },
    response: { decode: (bytes) => Promise.resolve(read(bytes)), parse: (answer) => Promise.resolve(answer) },
  });
}
