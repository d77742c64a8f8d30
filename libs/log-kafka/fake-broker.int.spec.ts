import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { EventLog } from '#log';
import { rec, until } from '../log/conformance/kit.js';
import { FakeBroker, KAFKA_4 } from '../../test/kit/fake-broker.js';
import { openKafkaLog, type KafkaLogOptions } from './index.js';
import { GroupClient, SessionTooShort } from './kafkajs.js';
import { ERROR } from './protocol.js';

const [PRODUCE, API_VERSIONS, INIT_PRODUCER_ID] = [0, 18, 22];
const TOPIC = 'aliran';

describe('log-kafka at a broker that is not as it should be', () => {
  let broker: FakeBroker;
  let log: EventLog | undefined;

  const open = async (more: Partial<KafkaLogOptions> = {}): Promise<EventLog> =>
    (log = await openKafkaLog({ brokers: [broker.address], clientId: 'fake', ...more }));

  beforeEach(async () => {
    broker = await FakeBroker.open(TOPIC);
    log = undefined;
  });
  afterEach(async () => {
    await log?.close();
    await broker.close();
  });

  it.each([
    [
      'Produce and Fetch are too old',
      { 0: [0, 7], 1: [4, 11] },
      ['lacks Produce 9 (it has 0 to 7)', 'Fetch 13 (it has 4 to 11)'],
    ],
    ['InitProducerId is missing', { 22: undefined }, ['lacks InitProducerId 4 (it has none)']],
    ['Metadata tells no topic ids', { 3: [0, 9] }, ['lacks Metadata 10 (it has 0 to 9)']],
  ] as const)('the start is refused and names the broker and what it lacks: %s', async (_what, apis, lacks) => {
    broker.apis = Object.fromEntries(
      Object.entries({ ...KAFKA_4, ...apis }).filter(([, v]) => v !== undefined),
    ) as never;
    const failed = await open().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'broker_unsupported' });
    for (const text of [`broker ${broker.address}`, ...lacks]) expect((failed as Error).message).toContain(text);
  });

  it('an append to a broker that was replaced by an older one is refused at once and names it, instead of being uncertain for ever', async () => {
    await open();
    expect(await log!.append(TOPIC, 0, [rec('k', 'v')])).toMatchObject({ kind: 'accepted', base: 0n });
    broker.apis = { ...KAFKA_4, 0: [0, 8] };
    broker.cut();
    const refused = await until('the older broker', async () => {
      const done = await log!.append(TOPIC, 0, [rec('k', 'v')]);
      return done.kind === 'refused' && done;
    });
    expect(refused).toMatchObject({
      code: 'broker_unsupported',
      cause: { detail: expect.stringContaining(broker.address) },
    });
  });

  it('asks for the versions once per connection, also of a broker that knows only version 1 of the question, and takes the newest version that both know', async () => {
    broker.apis = { ...KAFKA_4, 0: [3, 10], 18: [0, 1] };
    await open();
    for (let n = 0; n < 5; n++) await log!.append(TOPIC, 0, [rec('k', 'v')]);
    const asked = broker.asked(API_VERSIONS, '-append').map(({ version, connection }) => `${connection}/${version}`);
    expect(asked).toEqual([...new Set(asked)]);
    expect(new Set(asked.map((a) => a.split('/')[0])).size).toBe(1);
    expect(broker.asked(PRODUCE).map((r) => r.version)).toEqual([10, 10, 10, 10, 10]);
  });

  it('asks for a producer id on a connection of its own, so that no batch waits behind the question as if it had left', async () => {
    await open();
    expect((await log!.append(TOPIC, 0, [rec('k', 'v')])).kind).toBe('accepted');
    const [id] = broker.asked(INIT_PRODUCER_ID);
    expect(broker.asked(PRODUCE).map((r) => r.connection)).not.toContain(id!.connection);
  });

  it('leaves a broker that throttles alone for as long as it asks: an append whose deadline passes meanwhile never left, and the connection is kept', async () => {
    await open({ appendDeadlineMs: 300 });
    broker.produced.push({ throttleMs: 1_500 });
    expect((await log!.append(TOPIC, 0, [rec('k', 'first')])).kind).toBe('accepted');
    const [first] = broker.asked(PRODUCE);
    expect(await log!.append(TOPIC, 0, [rec('k', 'late')])).toMatchObject({ kind: 'refused', code: 'log_unavailable' });
    expect(broker.asked(PRODUCE)).toHaveLength(1);
    await until(
      'the throttle to end',
      async () => (await log!.append(TOPIC, 0, [rec('k', 'next')])).kind === 'accepted',
    );
    const all = broker.asked(PRODUCE);
    expect(all[1]!.at - first!.at).toBeGreaterThanOrEqual(1_450);
    expect(all.map((r) => r.connection)).toEqual(all.map(() => first!.connection));
  });

  it('a clock that is set back while a broker throttles does not make the pause longer', async () => {
    await open();
    broker.produced.push({ throttleMs: 500 });
    expect((await log!.append(TOPIC, 0, [rec('k', 'first')])).kind).toBe('accepted');
    const wall = Date.now;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => wall() - 3_600_000);
    try {
      expect((await log!.append(TOPIC, 0, [rec('k', 'next')])).kind).toBe('accepted');
    } finally {
      clock.mockRestore();
    }
  });

  it('UNSUPPORTED_COMPRESSION_TYPE (76) is final: the append is refused after one request', async () => {
    await open();
    broker.produced.push({ error: ERROR.UNSUPPORTED_COMPRESSION_TYPE });
    expect(await log!.append(TOPIC, 0, [rec('k', 'v')])).toMatchObject({ kind: 'refused', code: 'log_unavailable' });
    expect(broker.asked(PRODUCE)).toHaveLength(1);
  });

  it('a member of a group whose SASL sessions are too short for its client is refused at once, and the error names the setting of the broker', async () => {
    broker.apis = { ...KAFKA_4, 3: [0, 6], 17: [0, 1], 36: [0, 1] };
    broker.sessionMs = 2_000;
    const sasl = { mechanism: 'PLAIN', username: 'simpul', password: 'rahasia-contoh' } as const;
    const unused = (): void => undefined;
    const callbacks = { assigned: unused, rebalancing: unused, heartbeat: unused, crashed: unused };
    const member = new GroupClient({ brokers: [broker.address], clientId: 'fake', sasl }, 'g', [TOPIC], callbacks);
    const refused = await member.join().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SessionTooShort);
    expect((refused as Error).message).toContain(
      '2000 ms are too short: connections.max.reauth.ms must be 3000 or more',
    );
    await member.leave();
  });
});
