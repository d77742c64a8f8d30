import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { kafkaClient } from '#kafka-client';
import { encodeBatch, endOf } from '#kafka-records';
import type { Broker } from 'kafkajs';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { crc32c } from './codecs.js';
import { fetchRecords } from './fetch-request.js';

const require = createRequire(import.meta.url);
const kafkajs = require('kafkajs/package.json') as { readonly version: string };
const ConnectionPool = require('kafkajs/src/network/connectionPool') as new (options: object) => {
  destroy(): Promise<void>;
  readonly pool: readonly { isConnected(): boolean }[];
};
const socketFactory = (require('kafkajs/src/network/socketFactory') as () => unknown)();

const LIMITS = { maxWaitMs: 200, maxBytes: 1_048_576, partitionBytes: 1_048_576 };
const silent = { namespace: () => silent, debug() {}, info() {}, warn() {}, error() {} };

interface Request {
  readonly socket: Socket;
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly from: number;
}

/** An answer of Fetch with one record at this offset. */
function answer(correlationId: number, offset: number, value = Buffer.alloc(10)): Buffer {
  const records = encodeBatch([{ key: null, value, headers: [] }], { producerId: 1n, epoch: 0, sequence: 0, timeMs: 0 }, crc32c); // prettier-ignore
  records.writeBigInt64BE(BigInt(offset));
  const part = Buffer.alloc(42);
  part.writeInt32BE(records.length, 38);
  const body = Buffer.concat([Buffer.alloc(10), Buffer.from([0, 0, 0, 1, 0, 1, 0x74, 0, 0, 0, 1]), part, records]);
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, body]);
}

describe('a request of our own over a connection of kafkajs', () => {
  let server: Server;
  let pool: InstanceType<typeof ConnectionPool>;
  let broker: Broker;
  const sockets = new Set<Socket>();
  let answered: (request: Request) => void;

  beforeEach(async () => {
    // Mends the connections of kafkajs.
    kafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'uji', retry: {} });
    server = createServer((socket) => {
      sockets.add(socket);
      let bytes = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        for (
          ;
          bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0);
          bytes = bytes.subarray(4 + bytes.readInt32BE(0))
        )
          // prettier-ignore
          answered({
            socket,
            apiKey: bytes.readInt16BE(4),
            apiVersion: bytes.readInt16BE(6),
            correlationId: bytes.readInt32BE(8),
            // behind the client id `uji`, the head of the request, the topic `t`, its partition and its epoch
            from: Number(bytes.readBigInt64BE(12 + 2 + 3 + 25 + 4 + 3 + 12)),
          });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    pool = new ConnectionPool({ host: '127.0.0.1', port, clientId: 'uji', logger: silent, socketFactory, requestTimeout: 2_000, connectionTimeout: 2_000 }); // prettier-ignore
    broker = { connectionPool: pool, disconnect: () => pool.destroy() } as unknown as Broker;
  });
  afterEach(async () => {
    await pool.destroy();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise((resolve) => server.close(resolve));
  });
  const fetchFrom = async (from: number): Promise<bigint | undefined> => {
    const { partitions } = await fetchRecords(broker, [{ topic: 't', partition: 0, from }], LIMITS);
    return endOf(partitions[0]!.records);
  };

  it('is made for this version of kafkajs alone, and units have to install just this one', () => {
    const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    expect(kafkajs.version).toBe('2.2.4');
    expect(own.dependencies['kafkajs']).toBe(kafkajs.version);
    const packages = readFileSync(new URL('../../bin/packages.mjs', import.meta.url), 'utf8');
    expect(/KAFKAJS = '([^']+)'/.exec(packages)?.[1]).toBe(kafkajs.version);
  });

  it('is a Fetch 11 with the client id, on a connection of its own; its answer is found by its correlation id', async () => {
    const seen: Request[] = [];
    answered = (r) => {
      seen.push(r);
      // One that nobody waits for comes first.
      r.socket.write(Buffer.concat([answer(r.correlationId + 70, 9), answer(r.correlationId, r.from)]));
    };
    expect(await fetchFrom(4)).toBe(5n);
    expect(await fetchFrom(5)).toBe(6n);
    expect(seen.map(({ apiKey, apiVersion, from }) => [apiKey, apiVersion, from])).toEqual([[1, 11, 4], [1, 11, 5]]); // prettier-ignore
    expect(pool.pool.map((c) => c.isConnected())).toEqual([false, true]);
  });

  it.each([
    ['closed', (socket: Socket) => socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])(
    'a connection that is %s within an answer leaves nothing of it to the next one',
    async (_, cut) => {
      let cuts = 1;
      answered = ({ socket, correlationId, from }) => {
        const whole = answer(correlationId, from, Buffer.alloc(500));
        if (cuts-- > 0) socket.write(whole.subarray(0, 300), () => setImmediate(cut, socket));
        else socket.write(whole);
      };
      await expect(fetchFrom(0)).rejects.toThrow(/closed|reset|ECONNRESET/i);
      await broker.disconnect();
      expect(await fetchFrom(0)).toBe(1n);
      expect(await fetchFrom(1)).toBe(2n);
    },
    10_000,
  );

  it('what an earlier connection still sends after it was left is nobody’s', async () => {
    const first: Request[] = [];
    answered = (r) => {
      if (sockets.size === 1) {
        first.push(r);
        r.socket.write(answer(r.correlationId, r.from).subarray(0, 20));
      } else {
        // The earlier connection goes on in the middle of this one's answer.
        const whole = answer(r.correlationId, r.from);
        r.socket.write(whole.subarray(0, 30), () =>
          first[0]!.socket.write(Buffer.alloc(400, 7), () => setImmediate(() => r.socket.write(whole.subarray(30)))),
        );
      }
    };
    await expect(fetchFrom(0)).rejects.toThrow(/timed out/);
    await broker.disconnect();
    expect(await fetchFrom(3)).toBe(4n);
  }, 10_000);
});
