import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BAD_INPUT, type BadInputSubject, type Event } from '../../test/kit/bad-input.js';
import { HubStage } from '../../test/kit/doors/hub-stage.js';

let hub: HubStage;
let subject: BadInputSubject;
let before: number;
/** Cases that wait for a time-out of the server wait for it at the same time. */
const slow = new Map<string, ReturnType<(typeof BAD_INPUT)[number]['send']>>();
const total = async (): Promise<number> => {
  let n = 0;
  for (const s of hub.catalogue.streams()) n += await hub.records(s.name);
  return n;
};

beforeAll(async () => {
  hub = await new HubStage().open({ http: { headersMs: 2_000, requestMs: 6_000 } });
  const keyOf = (type: string): string => (type.startsWith('pas.') ? 'lapas' : 'kanim');
  subject = {
    url: hub.server.url,
    keys: { kanim: 'kanim', lapas: 'lapas' },
    event: (type) => hub.event(type, keyOf(type)) as Event,
    schemaId: (type) => hub.catalogue.newest(type)!.schemaId,
    frame: (type) => {
      const t = hub.catalogue.newest(type)!;
      const encoded = t.contract.encode(hub.event(type, keyOf(type)).data, t.schemaId);
      if (!encoded.ok) throw new Error('the sample is not valid');
      return encoded.value;
    },
    requestMs: 6_000,
  };
  for (const type of [
    'imigrasi.paspor.diterbitkan',
    'keu.pnbp.tagihan-diterbitkan',
    'pas.hunian.dilaporkan',
  ] as const) {
    const r = await hub.post(subject.event(type), { key: keyOf(type) });
    if (r.status !== 201) throw new Error(r.text);
  }
  before = await total();
  for (const c of BAD_INPUT.filter((one) => one.slow === true)) {
    const sent = c.send(subject);
    sent.catch(() => undefined);
    slow.set(c.name, sent);
  }
});
afterAll(async () => {
  expect(await total()).toBe(before);
  await hub.close();
});

it('the table of bad input has at least 200 cases, each with a unique name', () => {
  expect(BAD_INPUT.length).toBeGreaterThanOrEqual(200);
  const names = BAD_INPUT.map((c) => `${c.row}: ${c.name}`);
  expect(names.filter((n, i) => names.indexOf(n) !== i)).toEqual([]);
});

for (const [row, cases] of Map.groupBy(BAD_INPUT, (c) => c.row)) {
  describe(row, () => {
    it.each(cases.map((c) => [c.name, c] as const))('%s', async (_name, c) => {
      const r = await (slow.get(c.name) ?? c.send(subject));
      const doc = r.contentType.startsWith('application/problem+json')
        ? (JSON.parse(r.text || '{}') as Record<string, unknown>)
        : {};
      const errors = (doc['errors'] ?? []) as { code?: string; index?: number }[];
      const shown = c.item === true ? errors[0]?.code : doc['code'];
      const fine = [c.status].flat().includes(r.status) && (c.code === undefined || c.code === shown);
      expect(fine ? 'as promised' : `${r.status} ${String(shown)} ${r.text.slice(0, 600)}`).toBe('as promised');
      if (c.item === true) expect([doc['code'], typeof errors[0]?.index]).toEqual(['invalid_items', 'number']);
      if (c.code !== undefined) expect(doc['status']).toBe(r.status);
      if (r.status === 405) expect(r.allow).toMatch(/[A-Z]/);
      expect(r.text).not.toMatch(/\n\s+at |node_modules|\.ts:|\.js:/);
      if (c.slow !== true) expect(r.ms).toBeLessThan(10_000);
    });
  });
}

describe('after all cases of bad input', () => {
  it('the log holds exactly what it held before, and a valid event is accepted', async () => {
    expect(await total()).toBe(before);
    expect((await hub.post(subject.event('imigrasi.paspor.diterbitkan'))).status).toBe(201);
    before = await total();
  });
});
