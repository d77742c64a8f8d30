import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { afterEach, expect, it, jest } from '@jest/globals';
import { kafkaClient } from '#kafka-client';
import { OWNERS_TOPIC, type EventLog, type GroupMember } from '#log';
import { until } from '../log/conformance/kit.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { GroupClient } from './kafkajs.js';
import { openKafkaLog } from './index.js';

const [JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP] = [11, 12, 13, 14];
/** Longer than any answer of the broker takes, shorter than the session. */
const FROZEN_MS = 1_500;
const reason = await noKafka();

/** As Kafka's own tools remove a member of a group. */
async function removeMember(broker: string, group: string): Promise<void> {
  const kafka = kafkaClient({ brokers: [broker], clientId: 'admin', retry: {} });
  const admin = kafka.admin();
  await admin.connect();
  const { groups } = await admin.describeGroups([group]);
  await admin.disconnect();
  const text = (of: string): Buffer => {
    const bytes = Buffer.from(of);
    const length = Buffer.alloc(2);
    length.writeInt16BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const head = Buffer.alloc(12);
  head.writeInt16BE(LEAVE_GROUP, 4);
  const request = Buffer.concat([head, ...['admin', group, groups[0]!.members[0]!.memberId].map(text)]);
  request.writeInt32BE(request.length - 4);
  const [host, port] = broker.split(':');
  const socket = connect(Number(port), host);
  socket.write(request);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(answer.readInt16BE(8)).toBe(0);
}

afterEach(() => void jest.restoreAllMocks());

if (reason !== undefined) it.skip(`skipped: ${reason}`, () => {});
else {
  const member: GroupMember = {
    start: () => Promise.resolve({ offset: 0n }),
    batch: (_at, { next }) => Promise.resolve({ next }),
    lost: () => undefined,
  };
  /** A member alone in its group, which says whether it was sure whenever it asked to join again, and whenever it claimed. */
  const watched = async (opened: AsyncDisposableStack) => {
    const kafka = await testKafka();
    opened.defer(() => kafka.stop());
    const logOf = async (clientId: string): Promise<EventLog> => {
      const log = await openKafkaLog({ brokers: kafka.brokers, clientId, sessionMs: 6_000, prefix: kafka.prefix });
      opened.defer(() => log.close());
      return log;
    };
    const log = await logOf('pertama');
    await log.ensureTopic({ name: 'uji.aliran', partitions: 2, cleanup: 'keep' });
    const membership = await log.join('uji', ['uji.aliran'], member);
    opened.defer(() => membership.leave());
    await until('the member to be sure', () => membership.isSure);
    const atJoin: boolean[] = [];
    const atClaim: boolean[] = [];
    const append = log.append.bind(log);
    jest.spyOn(log, 'append').mockImplementation((topic, ...rest) => {
      if (topic === OWNERS_TOPIC) atClaim.push(membership.isSure);
      return append(topic, ...rest);
    });
    const write = Socket.prototype.write;
    jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...args: unknown[]) {
      const [bytes] = args;
      if (
        Buffer.isBuffer(bytes) &&
        bytes.length > 6 &&
        bytes.readInt16BE(4) === JOIN_GROUP &&
        bytes.includes('pertama-group')
      )
        atJoin.push(membership.isSure);
      return Reflect.apply(write, this, args) as boolean;
    });
    return { kafka, logOf, membership, atJoin, atClaim };
  };

  it('a member is sure of nothing from before it joins again for a rebalance until it has claimed its new assignment', async () => {
    await using opened = new AsyncDisposableStack();
    const { logOf, membership, atJoin, atClaim } = await watched(opened);
    const other = await (await logOf('kedua')).join('uji', ['uji.aliran'], member);
    opened.defer(() => other.leave());
    await until('the member to be sure again', () => atClaim.length > 0 && membership.isSure);
    expect(atJoin).not.toContain(true);
    expect(atClaim).not.toContain(true);
  });

  it('a member that the coordinator does not know any more is sure of nothing from before it joins again', async () => {
    await using opened = new AsyncDisposableStack();
    const { kafka, membership, atJoin, atClaim } = await watched(opened);
    await removeMember(kafka.brokers[0]!, `${kafka.prefix}uji`);
    await until('the member to be sure again', () => atClaim.length > 0 && membership.isSure);
    expect(atJoin).toEqual([false, false]);
    expect(atClaim).not.toContain(true);
  });

  it('a member that was frozen for longer than its session claims nothing again before the coordinator has taken a heartbeat, and then does', async () => {
    await using opened = new AsyncDisposableStack();
    const { membership, atClaim } = await watched(opened);
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 7_000);
    expect(membership.isSure).toBe(false);
    expect(await membership.reclaim(0)).toMatchObject({ kind: 'claimed' });
    expect(atClaim).toEqual([true]);
  });

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
      rebalancing: () => undefined,
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
}
