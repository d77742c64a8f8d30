import type { Publishing } from '#publishing';
import { schemaValue, type EventType } from '#registry';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { blindPublishing } from '../../test/kit/doors/blind-publishing.js';
import { HubStage, type Body } from '../../test/kit/doors/hub-stage.js';
import { Announcer, CATALOGUE_SOURCE, VERSION_REGISTERED, type AnnouncerDeps } from './announcer.js';

const STREAM = 'simpul.katalog';
const TYPE = 'imigrasi.paspor.diterbitkan';

describe('the announcements of registered versions', () => {
  let hub: HubStage;
  let open: Announcer[];
  let registered: Set<(type: EventType) => void>;

  const announce = (more: Partial<AnnouncerDeps> = {}): Announcer => {
    const announcer = new Announcer({
      reading: hub.reading,
      registry: {
        catalogue: hub.catalogue,
        schemas: hub.catalogue.schemas,
        onRegistered: (listener) => {
          registered.add(listener);
          return () => registered.delete(listener);
        },
      },
      publishing: hub.publishing,
      retryMs: 5,
      ...more,
    });
    open.push(announcer);
    announcer.start();
    return announcer;
  };
  const elsewhere = (): Publishing =>
    blindPublishing({
      log: hub.log,
      settled: hub.settled,
      catalogue: hub.catalogue,
      units: hub.units,
      refusals: hub.refusals,
      pseudonymKey: Buffer.alloc(32, 7),
    });
  const announced = async (): Promise<Body[]> => {
    const { status, body } = await hub.ask(`/v1/streams/${STREAM}/events?type=${VERSION_REGISTERED}&limit=1000`);
    expect(status).toBe(200);
    return body['events'] as Body[];
  };

  beforeEach(async () => {
    hub = await new HubStage().open();
    open = [];
    registered = new Set();
  });
  afterEach(async () => {
    for (const a of open) await a.close();
    await hub.close();
  });

  it('are one event for every registered version, from the source of the catalogue, readable by every key', async () => {
    await announce().idle();
    const events = await announced();
    expect(events.map((e) => e['id']).toSorted()).toEqual(hub.catalogue.types().map((t) => `${t.type}:${t.version}`));
    const t = hub.catalogue.newest(TYPE)!;
    expect(events.find((e) => e['subject'] === TYPE)).toMatchObject({
      source: CATALOGUE_SOURCE,
      data: {
        jenis: TYPE,
        versi: 1,
        skemaId: t.schemaId,
        sidikJari: createHash('sha256').update(hub.catalogue.schemas.byId(t.schemaId)!.schema).digest('hex'),
        pemilik: t.owner,
      },
    });
  });

  it('are published once: a restart appends nothing, not even when the duplicate index has forgotten them', async () => {
    await announce().idle();
    const before = await hub.records(STREAM);
    await announce().idle();
    await announce({ publishing: elsewhere() }).idle();
    expect(await hub.records(STREAM)).toBe(before);
  });

  it('wait until the settled end has reached the log end: what another process has just published is not published again', async () => {
    const unsettled = await new HubStage().open({ project: false });
    const [stage, index] = [hub, unsettled];
    hub = unsettled;
    try {
      await announce().idle();
      const before = await index.records(STREAM);
      const second = announce({ publishing: elsewhere() });
      await new Promise((done) => setTimeout(done, 1_500));
      expect(await index.records(STREAM)).toBe(before);
      await index.project();
      await second.idle();
      expect(await index.records(STREAM)).toBe(before);
    } finally {
      for (const a of open.splice(0)) await a.close();
      hub = stage;
      await index.close();
    }
  });

  it('are shown once when two processes publish them at the same moment', async () => {
    let arrived = 0;
    let go: () => void = () => undefined;
    const both = new Promise<void>((done) => {
      go = done;
    });
    const together = (publishing: Publishing): Pick<Publishing, 'publish'> => ({
      publish: async (...args) => {
        if (++arrived === 2) go();
        await both;
        return publishing.publish(...args);
      },
    });
    const two = [hub.publishing, elsewhere()].map((p) => announce({ publishing: together(p) }).idle());
    await Promise.all(two);
    expect(await announced()).toHaveLength(hub.catalogue.types().length);
  });

  it('include a version that is registered while the hub runs, with the time of its registration', async () => {
    const announcer = announce();
    await announcer.idle();
    const first = hub.catalogue.newest(TYPE)!;
    const { subject, schema } = hub.catalogue.schemas.byId(first.schemaId)!;
    const next = {
      subject,
      version: 2,
      id: 900,
      schema: schema.replace('"doc": "', '"doc": "Versi dua. '),
      deleted: false,
    };
    hub.catalogue.putSchema(schemaValue(next), Date.parse('2021-07-15T02:30:00Z'));
    for (const listener of registered) listener(hub.catalogue.newest(TYPE)!);
    await announcer.idle();
    const versions = (await announced()).filter((e) => e['subject'] === TYPE).map((e) => e['data'] as Body);
    expect(versions).toMatchObject([{ versi: 1 }, { versi: 2, skemaId: 900, waktu: '2021-07-15T02:30:00.000Z' }]);
  });

  it('are published again until they are durable', async () => {
    let calls = 0;
    hub.appends.answer = () => (calls++ < 3 ? Promise.resolve({ kind: 'refused', code: 'not_durable' }) : undefined);
    await announce().idle();
    expect(calls).toBeGreaterThan(3);
    expect(await announced()).toHaveLength(hub.catalogue.types().length);
  });
});
