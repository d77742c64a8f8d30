import {
  compressionsAlgorithms,
  crc32c as copyingCrc32c,
  kGetBootstrapConnection,
  kMetadata,
  type Base,
  type BaseOptions,
} from '@platformatic/kafka';
import type { KafkaLogOptions } from '../options.js';
import { decompress, type Codecs } from '#kafka-records';
import { hasNetworkError } from './errors.js';

const REQUEST_MS = 10_000;
const CONNECT_MS = 3_000;

export interface ClientOptions {
  clientId: string;
  bootstrapBrokers: string[];
  requestTimeout: number;
  connectTimeout: number;
  sasl?: { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string };
  tls?: { ca?: string };
}

export function clientOptions(options: KafkaLogOptions, role: string): ClientOptions {
  const out: ClientOptions = {
    clientId: `${options.clientId}-${role}`,
    bootstrapBrokers: [...options.brokers],
    requestTimeout: REQUEST_MS,
    connectTimeout: CONNECT_MS,
  };
  if (options.sasl) out.sasl = { ...options.sasl };
  if (options.tls) out.tls = { ...options.tls };
  return out;
}

const { snappy, lz4 } = compressionsAlgorithms;

/** Natively where the platform has it. The function of the client library does the same, but copies the bytes first. */
const crc32c: Codecs['crc32c'] = await import('@node-rs/crc32').then(
  (native) => (bytes: Buffer) => native.crc32c(bytes),
  () => (bytes: Buffer) => copyingCrc32c(bytes),
);

export const codecs: Codecs = {
  crc32c,
  decompress: (codec, bytes, maxBytes) =>
    decompress(codec, bytes, maxBytes, {
      snappy: (data) => snappy.decompressSync(data),
      lz4: (data) => lz4.decompressSync(data),
    }),
};

/**
 * The library asks the first broker of its list for metadata, also on a retry. A broker that is frozen or cut off takes the request and never answers,
 * so that no leader would be found again. Here a request without an answer makes the next broker of the list the first one.
 */
export function rotateBrokers<C extends Base<BaseOptions>>(client: C): C {
  let first = 0;
  const bootstrap = client[kGetBootstrapConnection].bind(client);
  const metadata = client[kMetadata].bind(client);
  client[kGetBootstrapConnection] = (callback, attempt = 0) => bootstrap(callback, attempt + first);
  client[kMetadata] = (options, callback) => {
    const asked = first;
    metadata(options, (error, found) => {
      // several callers may wait for the same failed request: only one of them moves on to the next broker
      if (hasNetworkError(error) && first === asked) first++;
      callback(error, found as never);
    });
  };
  return client;
}
