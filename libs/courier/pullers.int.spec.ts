import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeliveryStage,
  PASSPORTS,
  publishedBySubject,
  type Body,
  type EngineName,
} from '../../test/kit/deliveries/stage.js';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';
import { random } from '../../test/kit/random.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];

interface Event {
  readonly id: string;
  readonly subject: string;
  readonly position: string;
}

describe.each(ENGINES)('pullers of one subscription (%s)', (engine) => {
  let hub: DeliveryStage;
  beforeAll(async () => {
    hub = await DeliveryStage.open(engine, { SIMPUL_DELIVERY_SCHEDULE: Array(20).fill('0.1').join() });
    // The first hub on a cluster makes all of its topics.
  }, 120_000);
  afterEach(() => hub.clear());
  afterAll(() => hub[Symbol.asyncDispose](), 60_000);
  const made = async (): Promise<string> => {
    const spec = { name: `tarik-${hub.published.length}`, types: [PASSPORTS], target: { kind: 'pull' } };
    const { body } = await hub.ask('POST', '/v1/subscriptions', spec);
    return `/v1/subscriptions/${body['id'] as string}`;
  };

  it('that die at random share it: each event is committed once, in order per subject, and no subject is with two of them', async () => {
    const path = await made();
    const seed = Math.floor(Math.random() * 2 ** 31);
    process.stdout.write(`seed ${seed}\n`);
    const rest = random(seed);
    const published = await hub.publish(Array.from({ length: 150 }, (_, n) => n % 10));
    /** One list for each commit, in the order in which they were sent: the answers may overtake each other. */
    const committed: string[][] = [];
    /** When a subject is free again, by the word of the hub. */
    const leased = new Map<string, number>();
    const overlaps: string[] = [];
    let isOver = false;
    const puller = async (): Promise<void> => {
      while (!isOver) {
        const limit = 1 + Math.floor(rest() * 12);
        const { body } = await hub.ask('POST', `${path}/pull?limit=${limit}&wait=1&lease=1`);
        const events = body['events'] as Event[];
        if (events.length === 0) continue;
        const lease = body['lease'] as { token: string; until: string };
        for (const subject of new Set(events.map((e) => e.subject))) {
          if ((leased.get(subject) ?? 0) > Date.now()) overlaps.push(subject);
          leased.set(subject, Date.parse(lease.until));
        }
        // It dies before, in the middle of, or after its work.
        const dies = rest();
        const taken = dies < 0.15 ? [] : dies < 0.3 ? events.slice(0, Math.ceil(events.length / 2)) : events;
        if (taken.length > 0) {
          const through = [...new Map(taken.map((e) => [e.position.replace(/\/\d+$/, ''), e.position])).values()];
          // The hub gives a subject to the next one as soon as it has the commit.
          const open = new Set(events.slice(taken.length).map(({ subject }) => subject));
          for (const { subject } of taken) if (!open.has(subject)) leased.delete(subject);
          const ids: string[] = [];
          committed.push(ids);
          const { status } = await hub.ask('POST', `${path}/commit`, { token: lease.token, through });
          if (status === 204) ids.push(...taken.map(({ id }) => id));
        }
      }
    };
    const pullers = [puller(), puller(), puller()];
    await until(() => committed.flat().length >= 150).finally(() => (isOver = true));
    await Promise.all(pullers);
    expect(overlaps).toEqual([]);
    const numbers = new Map(published.map(({ id, number }) => [id, number]));
    const by = Map.groupBy(committed.flat(), (id) => numbers.get(id)!);
    expect(new Map([...by].toSorted(([a], [b]) => a - b))).toEqual(publishedBySubject(published));
  }, 60_000);

  it('that wait are answered 401 within 5 s when their key is revoked, and what comes then is not leased to them', async () => {
    const path = await made();
    const key = await hub.key(undefined, 'reader');
    const id = ((await hub.ask('GET', '/v1/me', undefined, key)).body as Body)['keyId'] as string;
    const waiting = hub.ask('POST', `${path}/pull?wait=30`, undefined, key);
    await until(async () => (await hub.ask('GET', path)).status === 200);
    const began = Date.now();
    expect((await hub.asAdmin('DELETE', `/v1/keys/${id}`)).status).toBe(200);
    expect((await waiting).status).toBe(401);
    expect(Date.now() - began).toBeLessThan(5_000);
    await hub.publish([1]);
    const { body } = await hub.ask('POST', `${path}/pull?wait=10`);
    expect(body['events']).toHaveLength(1);
  });

  it('that leave while they wait hold nothing', async () => {
    const path = await made();
    const leaving = new AbortController();
    const waiting = fetch(`${hub.url}${path}/pull?wait=30`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await hub.key()}` },
      signal: leaving.signal,
    }).catch(() => 'left');
    await until(async () => (await hub.ask('GET', path)).status === 200);
    leaving.abort();
    expect(await waiting).toBe('left');
    await hub.publish([1]);
    const { body } = await hub.ask('POST', `${path}/pull?wait=10`);
    expect(body['events']).toHaveLength(1);
  });
});
