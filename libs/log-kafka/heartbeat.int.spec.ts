import { Socket } from 'node:net';
import { afterEach, expect, it, jest } from '@jest/globals';
import { until } from '../log/conformance/kit.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { GroupClient } from './kafkajs.js';
import { openKafkaLog } from './index.js';

const [HEARTBEAT, SYNC_GROUP] = [12, 14];
/** Longer than any answer of the broker takes, shorter than the session. */
const FROZEN_MS = 1_500;
const reason = await noKafka();

afterEach(() => void jest.restoreAllMocks());

if (reason !== undefined) it.skip(`skipped: ${reason}`, () => {});
else
  it('a member lives from when its heartbeat or its join was sent, also when the answer lies unread while the process is frozen', async () => {
    await using opened = new AsyncDisposableStack();
    const kafka = await testKafka();
    opened.defer(() => kafka.stop());
    const options = { brokers: kafka.brokers, clientId: 'heartbeat', sessionMs: 6_000 };
    const log = await openKafkaLog({ ...options, prefix: kafka.prefix });
    opened.defer(() => log.close());
    await log.ensureTopic({ name: 'uji.aliran', partitions: 1, cleanup: 'keep' });

    const frozen = new Map<number, number>();
    const write = Socket.prototype.write;
    jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...args: unknown[]) {
      const sent = Reflect.apply(write, this, args) as boolean;
      const [bytes] = args;
      const request = Buffer.isBuffer(bytes) && bytes.length > 6 ? bytes.readInt16BE(4) : -1;
      if ((request === HEARTBEAT || request === SYNC_GROUP) && !frozen.has(request)) {
        frozen.set(request, Date.now());
        // the answer comes meanwhile, and nobody reads it
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FROZEN_MS);
      }
      return sent;
    });

    const alive: number[] = [];
    let crashed: unknown;
    const client = new GroupClient(options, `${kafka.prefix}uji`, [`${kafka.prefix}uji.aliran`], {
      assigned: () => undefined,
      heartbeat: (sentAt) => void alive.push(sentAt),
      crashed: (error) => (crashed = error),
    });
    opened.defer(() => client.leave());
    await client.join();
    expect(alive).toHaveLength(1);
    expect(alive[0]).toBeLessThanOrEqual(frozen.get(SYNC_GROUP)!);
    await until('the first heartbeat', () => crashed !== undefined || alive.length >= 2);
    expect(crashed).toBeUndefined();
    expect(alive[1]).toBeLessThanOrEqual(frozen.get(HEARTBEAT)!);
    expect(alive[1]).toBeGreaterThan(alive[0]!);
  });
