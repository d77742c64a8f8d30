import { afterEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { openKafkaLog } from '#log-kafka';
import { HubStage, type Body, type Reply } from '../../test/kit/doors/hub-stage.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';

const PASSPORT = 'imigrasi.paspor.diterbitkan';
const PERMIT = 'imigrasi.izin-tinggal.berubah';
const PRISON = 'pas.hunian.dilaporkan';
const STREAM = 'imigrasi.paspor';
const BATCH = 'application/cloudevents-batch+json';

const reason = await noKafka();
const engines = [
  {
    engine: 'embedded',
    open: (hub: HubStage) => {
      const openLog = (): Promise<EventLog> => openEmbeddedLog({ dir: hub.dir });
      return Promise.resolve({ openLog, stop: () => Promise.resolve() });
    },
  },
  {
    engine: 'Kafka',
    open: async () => {
      const { brokers, prefix, stop } = await testKafka();
      return { openLog: () => openKafkaLog({ brokers, prefix, clientId: 'topics-gone' }), stop };
    },
  },
];

describe.each(reason === undefined ? engines : engines.slice(0, 1))('a hub on the $engine engine', ({ open }) => {
  let hub: HubStage;
  let operator: EventLog;
  let stop: () => Promise<void>;
  let made = 0;

  async function stage(): Promise<void> {
    hub = new HubStage();
    const log = await open(hub);
    stop = log.stop;
    await hub.open({ project: false, partitions: 2, openLog: log.openLog });
    operator = await log.openLog();
  }
  afterEach(async () => {
    await operator.close();
    await hub.close();
    await stop();
  });

  const passport = (): Body => hub.event(PASSPORT, 'kanim', {}, { nomorPermohonan: `N-${++made}` });
  const statuses = (r: Reply): number[] => r.body['results'].map((x: Body) => x['status']);

  it('whose topic was deleted answers its events 500 unknown_topic with a next step, and writes those of other streams and callers in the same request and at the same moment', async () => {
    await stage();
    expect((await hub.post(passport())).status).toBe(201);
    await operator.deleteTopic(STREAM);
    const others = (): Promise<Reply[]> =>
      Promise.all([
        hub.post(hub.event(PERMIT)),
        hub.post(hub.event(PRISON, 'lapas'), { key: 'lapas' }),
        hub.post([hub.event(PRISON, 'lapas'), hub.event(PRISON, 'lapas')], { key: 'lapas', type: BATCH }),
      ]);
    const [gone, ...fine] = await Promise.all([
      hub.post(passport(), { headers: { 'accept-language': 'en' } }),
      others().then((replies) => replies.map((r) => r.status)),
    ]);
    expect(fine).toEqual([[201, 201, 201]]);
    expect([gone.status, gone.body['code'], gone.headers.get('retry-after')]).toEqual([500, 'unknown_topic', '30']);
    expect(gone.body['hint']).toMatch(/restart a hub/);
    expect(gone.body['errors'][0].reason).toMatch(/^surely not written/);
    expect(statuses(gone)).toEqual([500]);
    const events = [hub.event(PERMIT), passport(), hub.event(PERMIT)];
    const whole = await hub.post(events, { type: BATCH });
    expect([whole.status, whole.body['code'], statuses(whole)]).toEqual([500, 'unknown_topic', [201, 500, 201]]);
    const partial = await hub.post(events, { type: BATCH, query: '?partial=true' });
    expect([partial.status, statuses(partial)]).toEqual([207, [200, 500, 200]]);
    expect(hub.unwritable).toContainEqual(expect.stringMatching(/^unknown_topic imigrasi\.paspor\/[01]$/));
    expect(hub.publishing.pending).toBe(0);
    // made again, as a restarted hub does: the same request is written
    await operator.ensureTopic({ name: STREAM, partitions: 2, cleanup: 'keep' });
    const again = await hub.post(events, { type: BATCH });
    expect([again.status, again.body['receipts'].map((x: Body) => x['duplicate'])]).toEqual([201, [true, false, true]]);
  }, 120_000);

  it('whose topic was made again with fewer partitions answers the events of a missing partition 500 wrong_partition, and writes the others', async () => {
    await stage();
    await operator.deleteTopic(STREAM);
    await operator.ensureTopic({ name: STREAM, partitions: 1, cleanup: 'keep' });
    const events: Body[] = [];
    const partitions: number[] = [];
    while (new Set(partitions).size < 2 || events.length < 6) {
      events.push(passport());
      partitions.push((await hub.post(events.at(-1), { query: '?dryRun=true' })).body['partition']);
    }
    const expected = partitions.map((p) => (p === 0 ? 201 : 500));
    const whole = await hub.post(events, { type: BATCH });
    expect([whole.status, whole.body['code'], statuses(whole)]).toEqual([500, 'wrong_partition', expected]);
    const codes = whole.body['results'].map((x: Body) => x['problem']?.code);
    expect(codes).toEqual(partitions.map((p) => (p === 0 ? undefined : 'wrong_partition')));
    const alone = await Promise.all(events.map((e) => hub.post(e)));
    expect(alone.map((r) => r.status)).toEqual(partitions.map((p) => (p === 0 ? 200 : 500)));
    expect(await hub.records(STREAM)).toBe(partitions.filter((p) => p === 0).length);
  }, 120_000);
});
