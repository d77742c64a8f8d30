import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  connect,
  createPublisher,
  createReader,
  type PreparedEvent,
  type Publisher,
  type ReadEvent,
  type Receipt,
} from '#sdk';
import { deploy, type Deployment } from '../kit/deployment.js';
import { occupancy } from '../kit/occupancy.js';
import { random } from '../kit/random.js';

/** Fixed seeds: npm test runs the first four, npm run campaign all. On Kafka every fourth kill (k % 4 === 3) happens while a second gateway publishes the same ids. */
const SEEDS = [11, 23, 37, 41, 59, 67, 73, 83, 97, 101, 113, 127, 131, 149, 151, 163, 179, 181, 193, 199];
const seeds = process.env['SIMPUL_TEST_CAMPAIGN'] ? SEEDS : SEEDS.slice(0, 4);
const PRISONS = ['SU00518', 'SU00300', 'SU00310', 'SU00320', 'SU00330', 'SU00340'];
const TYPE = 'pas.hunian.dilaporkan';
const kafka = process.env['SIMPUL_TEST_KAFKA'];
const redis = process.env['SIMPUL_TEST_REDIS'];

interface Sent {
  readonly event: PreparedEvent;
  readonly receipt: Receipt;
}

const report = (unit: string, day: number, detainees: number, when: number): Record<string, unknown> =>
  occupancy(
    unit,
    `2021-07-${String(day).padStart(2, '0')}`,
    detainees,
    new Date(Date.UTC(2021, 6, day, 3, 0, 0) + when).toISOString(),
  );

/** Publishes corrected reports of five days for one prison, one after another, while `going()` is true; each is the newest of its subject. */
async function reportOn(
  publisher: Publisher,
  also: Publisher | undefined,
  unit: string,
  rnd: () => number,
  going: () => boolean,
  sent: Sent[],
  counted: EventEmitter,
): Promise<void> {
  for (let i = 1; going(); i++) {
    const day = 15 + (i % 5);
    const data = report(unit, day, i, i * 1000);
    const event = publisher.prepare({ type: TYPE, data, orderingKey: `${unit}:${day}` });
    // The same event is sent twice at the same time, as impatient systems do, also through the other gateway.
    const attempts = [publisher.publish(event)];
    if (rnd() < 0.2) attempts.push(publisher.publish(event));
    if (also && rnd() < 0.5) attempts.push(also.publish(event));
    const receipts = await Promise.all(attempts);
    expect(new Set(receipts.map((r) => r.digest)).size).toBe(1);
    sent.push({ event, receipt: receipts[0]! });
    counted.emit('sent');
  }
}

async function all(events: AsyncIterable<ReadEvent>): Promise<ReadEvent[]> {
  const out: ReadEvent[] = [];
  for await (const e of events) out.push(e);
  return out;
}

describe.each([
  ['embedded', {} as Record<string, string>],
  [
    'kafka',
    {
      SIMPUL_ENGINE: 'kafka',
      SIMPUL_KAFKA: kafka ?? '',
      SIMPUL_REDIS: redis ?? '',
      SIMPUL_KAFKA_PREFIX: `kill-${randomBytes(4).toString('hex')}`,
    },
  ],
])('kill -9 of the hub while events are published, %s', (engine, env) => {
  const skip = engine === 'kafka' && (!kafka || !redis) && process.env['CI'] !== 'true';
  const open: Deployment[] = [];
  afterEach(async () => {
    for (const d of open.splice(0).reverse()) await d.close();
  });

  (skip ? it.skip : it)(
    `loses no acknowledged event, stores no event twice and keeps the order per subject: ${seeds.length} kills`,
    async () => {
      const hub = await deploy(env);
      open.push(hub);
      const second =
        engine === 'kafka'
          ? await deploy({ ...env, SIMPUL_PSEUDONYM_KEY_FILE: `${hub.dir}/pseudonym.key` }, 'apps/gateway/src/main.js')
          : undefined;
      if (second) open.push(second);
      const keys = await Promise.all(PRISONS.map((unit) => hub.key(unit, 'sdp', ['publisher', 'reader'])));
      const steward = await hub.key('SU00002', 'periksa', ['steward']);
      const connections = [connect({ url: hub.url }), ...(second ? [connect({ url: second.url })] : [])];
      const publisherOf = (i: number, c: number): Publisher =>
        createPublisher({ connection: connections[c]!, key: keys[i]!, owner: PRISONS[i]!, system: 'sdp' });
      const publishers = PRISONS.map((_, i) => publisherOf(i, 0));
      const others = second ? PRISONS.map((_, i) => publisherOf(i, 1)) : [];

      const sent: Sent[] = [];
      const counted = new EventEmitter();
      const until = async (n: number): Promise<void> => {
        while (sent.length < n) await once(counted, 'sent');
      };
      let going = true;
      let both = false;
      const flows = PRISONS.map((unit, i) => {
        const rnd = random(1000 + i);
        const also = (): Publisher | undefined => (both ? others[i] : undefined);
        return (async () => {
          while (going) {
            let left = 20;
            await reportOn(publishers[i]!, also(), unit, rnd, () => going && left-- > 0, sent, counted);
          }
        })();
      });
      for (const [k, seed] of seeds.entries()) {
        both = k % 4 === 3;
        const rnd = random(seed);
        const target = sent.length + 5 + Math.floor(rnd() * 40);
        await until(target);
        await hub.crash();
      }
      await until(sent.length + 30);
      going = false;
      await Promise.all(flows);

      const reader = createReader({ connection: connections[0]!, key: steward });
      // Wait until every view, and so the duplicate index before it (R2.2), has folded the last acknowledged event of each partition.
      const last = new Map(sent.map(({ receipt }) => [receipt.partition, receipt.position]));
      for (const after of last.values())
        await reader.state('pas.hunian-nasional', '2021-07-15', { after, deadlineMs: 60_000 });
      const log = await all(reader.read('pas.hunian'));
      const byId = new Map(log.map((e) => [`${e.source} ${e.id}`, e]));
      expect(byId.size).toBe(log.length);
      for (const { event, receipt } of sent) {
        const found = byId.get(`${event.source} ${event.id}`);
        expect({ id: event.id, digest: found?.digest }).toEqual({ id: event.id, digest: receipt.digest });
        const now = await reader.receipt(event.source, event.id);
        expect(now?.position).toBe(found!.position);
      }
      expect(log.length).toBe(new Set(sent.map((s) => s.event.id)).size);

      // For each subject, the order in the log is the order of the acknowledgements.
      const offsets = new Map<string, bigint>();
      for (const { event } of sent) {
        const e = byId.get(`${event.source} ${event.id}`)!;
        const offset = BigInt(e.position.split('/')[2]!);
        expect(offset > (offsets.get(e.subject) ?? -1n)).toBe(true);
        offsets.set(e.subject, offset);
      }

      // The state is equal to a plain fold of the log.
      const newest = new Map<string, ReadEvent>();
      for (const e of log) {
        const known = newest.get(e.subject);
        if (!known || BigInt(e.position.split('/')[2]!) > BigInt(known.position.split('/')[2]!))
          newest.set(e.subject, e);
      }
      for (const day of [15, 16, 17, 18, 19]) {
        const date = `2021-07-${day}`;
        const reports = [...newest.values()].filter((e) => e.data['tanggal'] === date);
        const last = reports.reduce((a, b) => (a.recordedtime > b.recordedtime ? a : b));
        const entry = await reader.state('pas.hunian-nasional', date, { after: last.position });
        expect(entry?.value).toMatchObject({
          jumlahUnit: reports.length,
          jumlahTahanan: reports.reduce((sum, e) => sum + Number(e.data['jumlahTahanan']), 0),
        });
      }
      for (const c of connections) await c.close();
    },
    600_000,
  );
});
