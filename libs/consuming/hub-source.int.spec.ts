import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, createReader, defineEvent } from '#sdk';
import { HubStage } from '../../test/kit/doors/hub-stage.js';
import { scriptedHub, type Script } from '../../test/kit/scripted-hub.js';
import { openHub } from './conformance/hub-child.js';
import { describeSource, type Published, type SourceHarness } from './conformance/index.js';
import {
  createConsumer,
  HubDeadLetters,
  HubSource,
  onEvent,
  type ConsumerOptions,
  type HubSourceOptions,
} from './index.js';

const PASPOR = defineEvent<{ nomorPaspor: string }>({
  type: 'imigrasi.paspor.diterbitkan',
  stream: 'imigrasi.paspor',
  version: 1,
  schema: '{"type":"record","name":"A","fields":[{"name":"nomorPaspor","type":"string"}]}',
});

const openStage = async (): Promise<SourceHarness> => {
  let now = Date.now();
  const hub = await new HubStage().open({ retention: { stream: PASPOR.stream, ms: 3_600_000, now: () => now } });
  const dir = mkdtempSync(join(tmpdir(), 'simpul-places-'));
  let run = 0;
  return {
    token: { ...PASPOR, version: hub.catalogue.newest(PASPOR.type)!.version },
    async publish(count, subjects) {
      run++;
      const published: Published[] = [];
      for (let at = 0; at < count; at += 500) {
        const events = Array.from({ length: Math.min(500, count - at) }, (_, i) => {
          const subject = `X${run}${String((at + i) % subjects).padStart(4, '0')}`;
          const event = hub.event(PASPOR.type, 'kanim', {}, { nomorPermohonan: subject });
          published.push({ id: event.id, subject });
          return event;
        });
        const r = await hub.post(events, { type: 'application/cloudevents-batch+json' });
        if (r.status !== 201) throw new Error(r.text);
      }
      return published;
    },
    open: (group) => openHub({ url: hub.server.url, dir, group }),
    child: {
      module: new URL('./conformance/hub-child.ts', import.meta.url).href,
      open: 'openHub',
      options: { url: hub.server.url, dir },
    },
    async expire() {
      const ends = new Map((await hub.log.describe(PASPOR.stream)).map(({ partition, high }) => [partition, high]));
      now += 100 * 3_600_000;
      // The youngest segment of a partition stays, so it gets an event.
      const events = Array.from({ length: 60 }, (_, i) =>
        hub.event(PASPOR.type, 'kanim', {}, { nomorPermohonan: `Z${i}` }),
      );
      const r = await hub.post(events, { type: 'application/cloudevents-batch+json' });
      if (r.status !== 201) throw new Error(r.text);
      const removed = async (): Promise<boolean> => {
        await hub.log.maintain();
        const ranges = await hub.log.describe(PASPOR.stream);
        // A tail that the reader before has left for a moment still has them in memory.
        return hub.reading.tailUse.tails === 0 && ranges.every(({ partition, low }) => low >= ends.get(partition)!);
      };
      while (!(await removed())) await new Promise((done) => setTimeout(done, 20));
    },
    async close() {
      await hub.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};
describeSource('the hub over HTTP', openStage, { expires: true });

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const event = (id: string, n: number, type = PASPOR.type) => ({
  id,
  type,
  source: 'urn:simpul:unit:SU00123:simkim',
  subject: id,
  position: `imigrasi.paspor/0/${n}`,
  dataschema: `urn:simpul:schema:${type}:1`,
  recordedtime: '2026-01-01T00:00:00Z',
  data: { nomorPaspor: id },
});

async function stage(script: Script, options: Partial<HubSourceOptions> = {}, places = new Map<string, string>()) {
  const hub = await scriptedHub(script);
  const connection = connect({ url: hub.url, retry: { firstMs: 1, maxMs: 5 } });
  const source = new HubSource({
    reader: createReader({ connection, key: 'k' }),
    places: { load: (feed) => places.get(feed), save: (feed, place) => void places.set(feed, place) },
    ...options,
  });
  const seen: string[] = [];
  const consumer = (more: Partial<ConsumerOptions> = {}) => {
    const made = createConsumer({
      source,
      placeMs: 0,
      stopMs: 500,
      handlers: [onEvent(PASPOR, (e) => void seen.push(e.id))],
      ...more,
    });
    closing.push(() => made.stop());
    return made;
  };
  closing.push(hub.close, () => connection.close());
  return { hub, consumer, seen, places };
}
async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition();) {
    if (Date.now() > end) throw new Error('the condition did not come true');
    await new Promise((done) => setTimeout(done, 2));
  }
}
const twoPages: Script = ({ query }) => {
  switch (query.get('cursor')) {
    case null:
      return { status: 200, body: { events: [event('a', 1), event('b', 2)], next: 'c1' } };
    case 'c1':
      return { status: 200, body: { events: [event('c', 3)], next: 'c2' } };
    default:
      return undefined;
  }
};

describe('the HTTP source', () => {
  it('asks for the types of the handlers, and stores the place behind the pages whose events have ended', async () => {
    const { consumer, seen, places, hub } = await stage(twoPages);
    const running = consumer();
    const ended = running.run();
    await until(() => places.get('imigrasi.paspor') === '{"cursor":"c2"}');
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(Object.fromEntries(hub.requests[0]!.query)).toEqual({
      from: 'earliest',
      type: PASPOR.type,
      limit: '1000',
      wait: '20',
    });
    await running.stop();
    await ended;
  });

  it('asks for the events of one unit, and with pollMs looks again instead of waiting at the hub, from where it was', async () => {
    const { consumer, seen, hub } = await stage(
      ({ query }) =>
        query.get('cursor') === 'c2' ? { status: 200, body: { events: [], next: 'c2' } } : twoPages({ query } as never),
      { unit: 'SU00123', pollMs: 1 },
    );
    void consumer().run();
    await until(() => hub.requests.length > 5);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(
      hub.requests.slice(0, 4).map(({ query }) => [query.get('cursor'), query.get('unit'), query.get('wait')]),
    ).toEqual([
      [null, 'SU00123', null],
      ['c1', 'SU00123', null],
      ['c2', 'SU00123', null],
      ['c2', 'SU00123', null],
    ]);
  });

  it("from: 'latest' asks where the end is before it waits there, and is ready when it knows", async () => {
    let answer = (): void => undefined;
    const asked: string[] = [];
    const { consumer, seen } = await stage(
      ({ query, res }) => {
        asked.push(`${query.get('from')} ${query.get('cursor')} ${query.has('wait')}`);
        if (asked.length === 1) {
          answer = () => res.setHeader('content-type', 'application/json').end('{"events":[],"next":"c1"}');
          return undefined;
        }
        return { status: 200, body: { events: asked.length === 2 ? [event('a', 1)] : [], next: `c${asked.length}` } };
      },
      { from: 'latest' },
    );
    const made = consumer();
    void made.run();
    let ready = false;
    const waiting = made.ready().then(() => (ready = true));
    await until(() => asked.length === 1);
    expect(ready).toBe(false);
    answer();
    await waiting;
    await until(() => seen.length === 1);
    expect(asked.slice(0, 2)).toEqual(['latest null false', 'null c1 true']);
  });

  it('with live gets new events pushed, and stores the cursor of the last of them', async () => {
    const { consumer, seen, places } = await stage(
      (r) => {
        if (!r.path.endsWith('/live'))
          return r.query.get('cursor') === 'c2' ? { status: 200, body: { events: [], next: 'c2' } } : twoPages(r);
        expect([r.headers['last-event-id'], r.query.get('unit')]).toEqual(['c2', 'SU00123']);
        r.res.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const [id, n] of Object.entries({ c3: 4, c4: 5 }))
          r.res.write(`id: ${id}\ndata: ${JSON.stringify(event(`e${n}`, n))}\n\n`);
        return undefined;
      },
      { unit: 'SU00123', live: true },
    );
    void consumer().run();
    await until(() => places.get('imigrasi.paspor') === '{"cursor":"c4"}');
    expect(seen).toEqual(['a', 'b', 'c', 'e4', 'e5']);
  });

  it('tells positions that the hub cannot read before the place passes them', async () => {
    const damaged = ['imigrasi.paspor/0/7'];
    const told: unknown[] = [];
    const places = new Map<string, string>();
    const { consumer } = await stage(
      ({ query }) =>
        query.get('cursor') === null ? { status: 200, body: { events: [], next: 'c1', damaged } } : undefined,
      { report: { damaged: (stream, positions) => told.push([stream, positions, places.size]) } },
      places,
    );
    void consumer().run();
    await until(() => places.size === 1);
    expect(told).toEqual([['imigrasi.paspor', damaged, 0]]);
  });

  it('waits for a hub that is away, tells it, and goes on where it was', async () => {
    let away = 0;
    const told: string[] = [];
    const { consumer, seen } = await stage(
      (r) => {
        if (r.query.get('cursor') === 'c1' && away++ < 30)
          return away % 2 === 0
            ? { status: 404, body: 'default backend - 404', headers: { 'content-type': 'text/html' } }
            : { status: 503, body: { code: 'starting' } };
        return twoPages(r);
      },
      {
        patienceMs: -19_950,
        report: { unreachable: (_s, { code }) => told.push(code), reachable: () => told.push('reachable') },
      },
    );
    void consumer().run();
    await until(() => seen.length === 3);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(told.length).toBeGreaterThan(1);
    expect(told.at(-1)).toBe('reachable');
  });

  it('ends when its key is revoked while it reads, after the events in work have ended', async () => {
    const places = new Map<string, string>();
    const { consumer } = await stage(
      (r) => (r.query.get('cursor') === 'c1' ? { status: 401, body: { code: 'unauthenticated' } } : twoPages(r)),
      {},
      places,
    );
    let worked = 0;
    const slow = onEvent(PASPOR, async () => {
      await new Promise((done) => setTimeout(done, 20));
      worked++;
    });
    await expect(consumer({ handlers: [slow] }).run()).rejects.toMatchObject({
      code: 'refused',
      message: 'the hub refuses to give imigrasi.paspor: 401 unauthenticated. Give the app a valid key',
    });
    expect([worked, places.get('imigrasi.paspor')]).toEqual([2, '{"cursor":"c1"}']);
  });

  it('writes a dead letter again while the hub cannot take it, and ends when the hub refuses it; the place stays at the event', async () => {
    const answers = [503, 409];
    const bodies: unknown[] = [];
    const { consumer, places, hub } = await stage((r) => {
      if (r.method !== 'POST') return twoPages(r);
      bodies.push(JSON.parse(r.body));
      const status = answers.shift()!;
      return { status, body: { code: status === 503 ? 'not_durable' : 'conflict' } };
    });
    const connection = connect({ url: hub.url });
    closing.push(() => connection.close());
    const poison = onEvent(
      PASPOR,
      ({ id }) => {
        if (id === 'a') throw new Error('poison');
      },
      { attempts: 1, backoffMs: 1, then: 'dead-letter' },
    );
    const deadLetters = new HubDeadLetters({ connection, key: 'k', owner: 'SU00123', group: 'loket' });
    await expect(consumer({ handlers: [poison], deadLetters }).run()).rejects.toMatchObject({
      code: 'letter_refused',
      message: expect.stringMatching(/^the hub takes no dead letter of the group su00123\.loket: 409 conflict/),
    });
    expect(bodies).toHaveLength(2);
    expect(bodies[0]).toMatchObject({ position: 'imigrasi.paspor/0/1', cause: { message: 'poison' }, attempts: 1 });
    expect(bodies[1]).toEqual(bodies[0]);
    expect(places.get('imigrasi.paspor')).toMatch(/^\{"from":"earliest","above":"0:[23]:1"\}$/);
  });

  it('says of a dead letter that its key was revoked meanwhile, from whatever source the event came', async () => {
    const { consumer, hub } = await stage((r) =>
      r.method === 'POST' ? { status: 401, body: { code: 'unauthenticated' } } : twoPages(r),
    );
    const connection = connect({ url: hub.url });
    closing.push(() => connection.close());
    const poison = onEvent(PASPOR, () => Promise.reject(new Error('poison')), { attempts: 1, then: 'dead-letter' });
    const deadLetters = new HubDeadLetters({ connection, key: 'k', owner: 'SU00123', group: 'loket' });
    await expect(consumer({ handlers: [poison], deadLetters }).run()).rejects.toMatchObject({
      code: 'letter_refused',
      message: 'the hub takes no dead letter of the group su00123.loket: 401 unauthenticated. Give the app a valid key',
    });
  });

  it('ends with one clear fault when the type does not exist for its key', async () => {
    const { consumer } = await stage(() => ({ status: 404, body: { code: 'not_found' } }));
    await expect(consumer().run()).rejects.toMatchObject({ code: 'no_stream' });
  });

  it.each(['offset_out_of_range', 'stream_recreated', 'unknown_cursor'])(
    'does not jump over events that are missing behind its place (%s), unless it is told to, and then it says so',
    async (code) => {
      const status = code === 'unknown_cursor' ? 412 : 410;
      const script: Script = (r) => (r.query.get('cursor') === 'old' ? { status, body: { code } } : twoPages(r));
      const places = () => new Map([['imigrasi.paspor', '{"cursor":"old"}']]);
      const stopped = await stage(script, {}, places());
      await expect(stopped.consumer().run()).rejects.toMatchObject({ code: 'events_missing' });
      expect(stopped.places.get('imigrasi.paspor')).toBe('{"cursor":"old"}');
      const gaps: string[] = [];
      const jumped = await stage(
        script,
        { onGap: 'earliest', report: { gap: (stream, why) => gaps.push(`${stream} ${why}`) } },
        places(),
      );
      void jumped.consumer().run();
      await until(() => jumped.seen.length === 3);
      expect(gaps).toEqual([`imigrasi.paspor ${code}`]);
    },
  );

  it('resolves data of another version by the schema of the token, and ends with both versions when it cannot', async () => {
    const token = defineEvent<{ nomorPaspor: string; kantor: string; jenis: string }>({
      ...PASPOR,
      version: 2,
      schema: JSON.stringify({
        type: 'record',
        name: 'A',
        fields: [
          { name: 'nomorPaspor', type: 'string' },
          { name: 'kantor', type: 'string', default: '-' },
          { name: 'jenis', type: { type: 'enum', name: 'J', symbols: ['biasa', 'lain'], default: 'lain' } },
        ],
      }),
    });
    const old = { ...event('a', 1), data: { nomorPaspor: 'X1', jenis: 'haji', dropped: 1 } };
    const bad = { ...event('b', 2), dataschema: `urn:simpul:schema:${PASPOR.type}:3`, data: { jenis: 'biasa' } };
    const { consumer } = await stage(() => ({ status: 200, body: { events: [old, bad], next: 'c1' } }));
    const data: unknown[] = [];
    await expect(consumer({ handlers: [onEvent(token, (e) => void data.push(e.data))] }).run()).rejects.toMatchObject({
      code: 'version_not_readable',
      message: `version 2 of ${PASPOR.type} in this app cannot read an event of version 3: /data/nomorPaspor: required field is missing. Generate the token again with \`simpul type gen\``,
    });
    expect(data).toEqual([{ nomorPaspor: 'X1', kantor: '-', jenis: 'lain' }]);
  });
});
