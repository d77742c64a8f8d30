import { afterEach, describe, expect, it } from '@jest/globals';
import { HubClient, type SeenEvent } from './checking/hub-client.js';
import type { ViewFile } from './checking/fold.js';
import { foldHistory, type HistoryLine } from './checking/history.js';
import { judge } from './checking/judge.js';
import { sha } from './checking/log.js';
import { deliveriesLine, tryLines, verdictLine } from './checking/words.js';
import { scriptedHub } from './scripted-hub.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const SOURCE = 'urn:simpul:unit:SU00208:sdp';
const TYPE = 'pas.hunian.dilaporkan';
const VIEWS: ViewFile[] = [
  {
    name: 'pas.hunian-unit',
    kind: 'latest',
    key: { unit: 'unit' },
    by: ['tanggal'],
    sources: [{ type: TYPE, set: { unit: 'unit', isi: 'isi' } }],
  },
  {
    name: 'pas.hunian-nasional',
    kind: 'count',
    key: { tanggal: 'tanggal' },
    sum: { isi: 'isi' },
    sources: [{ type: TYPE }],
  },
];

/** A program that reads the type straight from Kafka, and received what lies at these offsets. */
const directorate = (...offsets: number[]): HistoryLine[] => {
  const process = 'sdp@SU00006';
  return [
    line('info', '', { f: 'follow', process, evtypes: [TYPE] }),
    ...offsets.map((at) => line('ok', `e${at + 1}`, { f: 'receive', process, position: `pas.hunian/0/${at}` })),
  ];
};

interface World {
  /** Records of partition 0, in order. */
  log: { id: string; unit: string; isi: number; digest?: string }[];
  /** Offsets that readers get. */
  shown: number[];
  state: Record<string, Record<string, unknown>>;
  history: HistoryLine[];
  /** Parked events and dead letters of the subscription, as the hub tells its owner. */
  parked: object[];
  dead: object[];
}

const READER = 'sikanwil@SU00054';
/** A subscription of another office to the type, and its webhooks: each by the offset of its event and the status of the answer. */
const subscriber = (...webhooks: readonly (readonly [at: number, status: number, id?: string])[]): HistoryLine[] => [
  line('info', '', {
    ...{ f: 'subscribe', process: READER, subscription: 'sub_1', evtypes: [TYPE], since: '2021-07-15T03:00:00Z' },
    filters: [{ exact: { 'data.unit': 'SU00208' } }],
  }),
  ...webhooks.map(([at, status, id = `msg_${at}`]) =>
    line(status < 300 ? 'ok' : 'fail', `e${at + 1}`, {
      ...{
        f: 'deliver',
        process: READER,
        subscription: 'sub_1',
        position: `pas.hunian/0/${at}`,
        webhookId: id,
        status,
      },
    }),
  ),
];
/** Five reports, four of them by the unit that the subscription wants: offsets 0, 2, 3 and 4. */
function corrected(): World {
  const w = world();
  for (const [i, isi] of [13, 14].entries()) {
    const id = `e${i + 4}`;
    w.log.push({ id, unit: 'SU00208', isi });
    w.shown.push(i + 3);
    const receipt = { status: 201, position: `pas.hunian/0/${i + 3}`, digest: digest('SU00208', isi) };
    w.history.push(line('invoke', id), line('ok', id, receipt));
  }
  w.state['pas.hunian-unit']!['SU00208'] = { unit: 'SU00208', isi: 14 };
  w.state['pas.hunian-nasional']!['2021-07-15'] = { tanggal: '2021-07-15', jumlah: 2, isi: 34 };
  return w;
}

const line = (type: HistoryLine['type'], id: string, more: Partial<HistoryLine> = {}): HistoryLine => ({
  t: 1000,
  process: 'sdp',
  type,
  f: 'send',
  source: SOURCE,
  id,
  evtype: TYPE,
  ...more,
});
const bytes = (isi: number): Buffer => Buffer.from([0, 0, 0, 0, 7, isi]);
const digest = (unit: string, isi: number): string => `sha-256:${sha(Buffer.from(`${unit}:2021-07-15`), bytes(isi))}`;

/** A hub without faults: two units report, one of them twice (a correction), and an invalid event is refused. */
function world(): World {
  const log = [
    { id: 'e1', unit: 'SU00208', isi: 10 },
    { id: 'e2', unit: 'SU00209', isi: 20 },
    { id: 'e3', unit: 'SU00208', isi: 12 },
  ];
  const sent = (i: number): HistoryLine[] => [
    line('invoke', log[i]!.id),
    line('ok', log[i]!.id, { status: 201, position: `pas.hunian/0/${i}`, digest: digest(log[i]!.unit, log[i]!.isi) }),
  ];
  return {
    log,
    shown: [0, 1, 2],
    state: {
      'pas.hunian-unit': { SU00208: { unit: 'SU00208', isi: 12 }, SU00209: { unit: 'SU00209', isi: 20 } },
      'pas.hunian-nasional': { '2021-07-15': { tanggal: '2021-07-15', jumlah: 2, isi: 32 } },
    },
    history: [
      ...[0, 1, 2].flatMap(sent),
      line('invoke', 'g1', { bad: true }),
      line('fail', 'g1', { bad: true, status: 422, code: 'schema_mismatch' }),
    ],
    parked: [],
    dead: [],
  };
}

async function judged(w: World) {
  const event = (at: number, form: 'json' | 'avro'): SeenEvent => {
    const r = w.log[at]!;
    const subject = `${r.unit}:2021-07-15`;
    return {
      id: r.id,
      source: SOURCE,
      type: TYPE,
      subject,
      time: '2021-07-15T03:00:00Z',
      recordedtime: '2021-07-15T03:00:01Z',
      digest: r.digest ?? digest(r.unit, r.isi),
      position: `pas.hunian/0/${at}`,
      ...(form === 'json'
        ? { data: { unit: r.unit, tanggal: '2021-07-15', isi: r.isi } }
        : { data_base64: bytes(r.isi).toString('base64') }),
    };
  };
  const hub = await scriptedHub((r) => {
    const more = r.query.has('cursor');
    if (r.path === '/v1/streams')
      return { status: 200, body: { streams: more ? [] : [{ name: 'pas.hunian' }], next: 'n' } };
    if (r.path.endsWith('/events')) {
      const raw = r.query.get('copies') === 'true';
      const at = raw ? w.log.map((_, i) => i) : w.shown;
      const from = Number(r.query.get('cursor') ?? '0');
      const events = at.slice(from, from + 2).map((i) => event(i, raw ? 'avro' : 'json'));
      return { status: 200, body: { events, next: String(from + events.length) } };
    }
    if (r.path.endsWith('/parked')) return { status: 200, body: { parked: w.parked, next: null } };
    if (r.path.endsWith('/dead-letters')) return { status: 200, body: { deadLetters: w.dead, next: null } };
    const view = r.path.slice('/v1/state/'.length);
    const entries = Object.entries(w.state[view] ?? {}).map(([key, value]) => ({ key, value }));
    return { status: 200, body: { entries: more ? [] : entries, next: 'n' } };
  });
  closing.push(hub.close);
  return judge({
    hub: new HubClient(hub.url, 'k', 0),
    history: foldHistory(w.history),
    views: VIEWS,
    engine: 'embedded',
    readers: (process) => (process === READER ? new HubClient(hub.url, 'r', 0) : undefined),
    waitMs: 0,
  });
}

describe('the checker', () => {
  it('finds no problem when the hub works, and gives a verdict with exactly the fields of R14.1', async () => {
    const j = await judged(world());
    expect(j.problems).toEqual([]);
    expect(j.good).toBe(true);
    expect(j.verdict).toEqual({
      engine: 'embedded',
      published: 3,
      acknowledged: 3,
      refused: 1,
      projected: 3,
      lost: 0,
      doubled: 0,
      misordered: 0,
      units: 1,
      seconds: 0,
    });
    expect(verdictLine(j, 'id')).toMatch(/^✔ 3 diumumkan · 3 tercatat · hilang 0 · ganda 0 · salah urut 0/);
    expect(tryLines({ url: 'http://127.0.0.1:8080', data: '.simpul/data', unitKey: 'kanim.key' }, 'en')).toHaveLength(
      3,
    );
  });

  it('counts what a program received straight from Kafka, also when an event came again after a crash', async () => {
    const w = world();
    w.history.push(...directorate(0, 1, 1, 2));
    const j = await judged(w);
    expect(j.problems).toEqual([]);
    expect(j.verdict.kafka).toEqual({ due: 3, received: 3, misordered: 0 });
    expect(verdictLine(j, 'en')).toContain(' · 3 of 3 received by directorates straight from Kafka · ');
  });

  it('names what a program did not receive from Kafka, received in the wrong order, or received though readers do not get it', async () => {
    const w = world();
    w.history.push(...directorate(2, 0));
    w.log.push({ id: 'e4', unit: 'SU00209', isi: 21 });
    w.history.push(...directorate(3).slice(1));
    const j = await judged(w);
    expect(j.problems).toEqual([
      `not received: ${SOURCE} e2 (${TYPE}) by sdp@SU00006`,
      'order: sdp@SU00006 received pas.hunian/0/0 after offset 2 (SU00208:2021-07-15)',
      'received, but readers do not get it: pas.hunian/0/3 by sdp@SU00006',
    ]);
    expect(j.verdict.kafka).toEqual({ due: 3, received: 2, misordered: 1 });
    expect(j.good).toBe(false);
  });

  it('counts what a subscription is due by its types, its filters and its start, and what its receiver took; a repeat with the same webhook-id is none', async () => {
    const w = corrected();
    w.history.push(...subscriber([0, 500], [0, 204], [2, 204], [2, 204], [3, 204], [4, 204]));
    const j = await judged(w);
    expect(j.problems).toEqual([]);
    const none = { parked: 0, dead: 0, misordered: 0, missing: 0 };
    expect(j.verdict.deliveries).toEqual({ subscriptions: 1, matched: 4, delivered: 4, ...none });
    expect(deliveriesLine(j, 'id')).toMatch(/^✔ 1 langganan webhook · 4 cocok · 4 terkirim · /);
    expect(j.good).toBe(true);
  });

  it('finds an event that a subscription was due and did not get', async () => {
    const w = corrected();
    w.history.push(...subscriber([0, 204], [3, 204], [4, 204]));
    const j = await judged(w);
    expect(j.problems).toEqual([`not delivered: pas.hunian/0/2 (SU00208:2021-07-15) to ${READER} sub_1`]);
    expect(j.verdict.deliveries).toMatchObject({ matched: 4, delivered: 3, misordered: 0, missing: 1 });
    expect(deliveriesLine(j, 'en')).toMatch(/^✗ 1 webhook subscriptions · 4 matched · 3 delivered · .* missing 1$/);
    expect(j.good).toBe(false);
  });

  it('finds two events of a subject that were delivered in the wrong order', async () => {
    const w = corrected();
    w.history.push(...subscriber([0, 204], [3, 204], [2, 204], [4, 204]));
    const j = await judged(w);
    expect(j.problems).toEqual([
      `order: ${READER} sub_1 was sent pas.hunian/0/3 before pas.hunian/0/2 was taken (SU00208:2021-07-15)`,
    ]);
    expect(j.verdict.deliveries).toMatchObject({ delivered: 4, misordered: 1, missing: 0 });
    expect(j.good).toBe(false);
  });

  it('counts a parked event or a dead letter with what it holds, and finds a follower that was sent before it', async () => {
    const w = corrected();
    w.history.push(...subscriber([0, 204], [2, 422]));
    w.parked = [{ subject: 'SU00208:2021-07-15', position: 'pas.hunian/0/2', held: 2 }];
    const parked = await judged(w);
    expect(parked.problems).toEqual([]);
    expect(parked.verdict.deliveries).toMatchObject({ matched: 4, delivered: 1, parked: 3, dead: 0, missing: 0 });
    [w.parked, w.dead] = [[], w.parked];
    expect((await judged(w)).verdict.deliveries).toMatchObject({ delivered: 1, parked: 0, dead: 3, missing: 0 });
    w.history.push(...subscriber([3, 204]).slice(1));
    const early = await judged(w);
    expect(early.problems).toEqual([
      `order: ${READER} sub_1 was sent pas.hunian/0/3 before pas.hunian/0/2 was taken (SU00208:2021-07-15)`,
      `held: ${READER} sub_1 has 2 events behind pas.hunian/0/2, and 1 were not delivered`,
    ]);
    expect(early.good).toBe(false);
  });

  it('finds a delivery that is not due, a repeat with another webhook-id, and one webhook-id for two events', async () => {
    const w = corrected();
    w.history.push(...subscriber([0, 204], [1, 204], [0, 204, 'msg_other'], [2, 204], [3, 204, 'msg_2'], [4, 204]));
    const j = await judged(w);
    expect(j.problems).toEqual([
      `delivered, but not due: pas.hunian/0/1 e2 to ${READER} sub_1`,
      `webhook-id: pas.hunian/0/0 came to ${READER} sub_1 as msg_0 and as msg_other`,
      `webhook-id: msg_2 came to ${READER} sub_1 for pas.hunian/0/2 and for pas.hunian/0/3`,
    ]);
    expect(j.good).toBe(false);
  });

  it('accepts a copy in the log that readers do not get and no view counts', async () => {
    const w = world();
    w.log.push({ ...w.log[1]! });
    w.history.push(line('ok', 'e2', { position: 'pas.hunian/0/3', digest: digest('SU00209', 20), duplicate: true }));
    expect((await judged(w)).good).toBe(true);
  });

  it('finds an acknowledged event that is not in the log (a dropped append)', async () => {
    const w = world();
    w.history.push(
      line('invoke', 'e9'),
      line('ok', 'e9', { position: 'pas.hunian/0/1', digest: digest('SU00209', 20) }),
    );
    const j = await judged(w);
    expect(j.verdict.lost).toBe(1);
    expect(j.good).toBe(false);
  });

  it('finds an event that is in the log but is not given to readers', async () => {
    const w = world();
    w.shown = [0, 2];
    const j = await judged(w);
    expect(j.verdict.lost).toBe(1);
    expect(j.good).toBe(false);
  });

  it('finds a receipt with another digest than its record', async () => {
    const w = world();
    w.history[1] = { ...w.history[1]!, digest: digest('SU00208', 99) };
    expect((await judged(w)).verdict.lost).toBe(1);
  });

  it('finds a record with a digest that is not that of its key and value', async () => {
    const w = world();
    w.log[1] = { ...w.log[1]!, digest: digest('SU00209', 21) };
    const j = await judged(w);
    expect(j.good).toBe(false);
    expect(j.problems[0]).toContain('digest of pas.hunian/0/1');
  });

  it('finds an event that readers get twice', async () => {
    const w = world();
    w.log.push({ ...w.log[1]! });
    w.shown = [0, 1, 2, 3];
    const j = await judged(w);
    expect(j.verdict.doubled).toBe(1);
    expect(j.good).toBe(false);
  });

  it('finds an event that a view counts twice', async () => {
    const w = world();
    w.state['pas.hunian-nasional']!['2021-07-15'] = { tanggal: '2021-07-15', jumlah: 3, isi: 52 };
    const j = await judged(w);
    expect(j.verdict).toMatchObject({ doubled: 1, projected: 0, lost: 0 });
    expect(j.good).toBe(false);
  });

  it('finds a view entry that is behind or wrong, and counts its events as not projected', async () => {
    const w = world();
    w.state['pas.hunian-unit']!['SU00208'] = { unit: 'SU00208', isi: 10 };
    const j = await judged(w);
    expect(j.verdict.projected).toBe(1);
    expect(j.good).toBe(false);
    expect(j.problems).toEqual(['state: pas.hunian-unit SU00208 differs in isi']);
  });

  it('finds a view entry that no event explains', async () => {
    const w = world();
    w.state['pas.hunian-unit']!['SU00999'] = { unit: 'SU00999', isi: 1 };
    expect((await judged(w)).good).toBe(false);
  });

  it('finds two events of a subject whose order in the log is not the order of their acknowledgements', async () => {
    const w = world();
    w.log = [w.log[2]!, w.log[1]!, w.log[0]!];
    const at: Record<string, number> = { e3: 0, e2: 1, e1: 2 };
    w.history = w.history.map((l) => (l.type === 'ok' ? { ...l, position: `pas.hunian/0/${at[l.id]}` } : l));
    w.state['pas.hunian-unit']!['SU00208'] = { unit: 'SU00208', isi: 10 };
    w.state['pas.hunian-nasional']!['2021-07-15'] = { tanggal: '2021-07-15', jumlah: 2, isi: 30 };
    const j = await judged(w);
    expect(j.verdict).toMatchObject({ misordered: 1, lost: 0, doubled: 0, projected: 3 });
    expect(j.good).toBe(false);
  });

  it('accepts any order of two events that were sent at the same time', async () => {
    const w = world();
    const [i1, ok1, ...rest] = w.history;
    const third = rest.splice(2, 2);
    w.history = [i1!, third[0]!, third[1]!, ok1!, ...rest];
    expect((await judged(w)).good).toBe(true);
  });

  it('finds an invalid event in the log that was refused, and an invalid event that was accepted', async () => {
    const refused = world();
    refused.log.push({ id: 'g1', unit: 'SU00210', isi: 1 });
    expect((await judged(refused)).problems.some((p) => p.startsWith('refused, but in the log'))).toBe(true);
    const taken = world();
    taken.log.push({ id: 'g1', unit: 'SU00210', isi: 1 });
    taken.history = [...taken.history.slice(0, -1), line('ok', 'g1', { bad: true, position: 'pas.hunian/0/3' })];
    expect((await judged(taken)).good).toBe(false);
  });

  it('counts an event that got no answer as published but not acknowledged', async () => {
    const w = world();
    w.history.push(line('invoke', 'e8'), line('info', 'e8', { status: 503 }));
    const j = await judged(w);
    expect(j.verdict).toMatchObject({ published: 4, acknowledged: 3 });
    expect(j.good).toBe(false);
  });
});
