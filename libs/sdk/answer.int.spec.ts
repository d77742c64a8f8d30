import { afterEach, describe, expect, it } from '@jest/globals';
import { FOREIGN, giveForeign as give } from '../../test/kit/foreign-answers.js';
import { scriptedHub, type Script } from '../../test/kit/scripted-hub.js';
import { connect, createPublisher, createReader, type Reader } from './index.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function against(script: Script) {
  const hub = await scriptedHub(script);
  const connection = connect({ url: hub.url, retry: { firstMs: 2, maxMs: 5 } });
  closing.push(hub.close, () => connection.close());
  return { hub, connection, reader: createReader({ connection, key: 'k' }) };
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const row of rows) out.push(row);
  return out;
}

type Reply = NonNullable<ReturnType<Script>>;
const json = { 'content-type': 'application/json' };
const entry = {
  view: 'imigrasi.cegah-aktif',
  key: 'C-1',
  value: { nomorCekal: 'C-1' },
  position: 's/0/1',
  updatedtime: 't',
  stale: false,
};
const page = { events: [], next: 'c' };
const receipt = { position: 's/0/1', id: 'a', source: 's', type: 't', duplicate: false };
const me = { keyId: 'k', unit: 'SU00123', system: 'uji', source: 'urn:simpul:unit:SU00123:uji', roles: ['reader'] };
const READS: Readonly<Record<string, readonly [(r: Reader) => Promise<unknown>, Reply, unknown]>> = {
  state: [(r) => r.state('imigrasi.cegah-aktif', 'C-1'), { status: 200, body: entry }, entry],
  lookup: [(r) => r.lookup('imigrasi.cegah-aktif', { nik: '9901' }), { status: 200, body: entry }, entry],
  receipt: [(r) => r.receipt('s', 'a'), { status: 200, body: receipt }, receipt],
  states: [(r) => all(r.states('v')), { status: 200, body: { entries: [entry] } }, [entry]],
  me: [(r) => r.me(), { status: 200, body: me }, me],
  units: [(r) => all(r.units()), { status: 200, body: { units: [] } }, []],
  read: [(r) => all(r.read('s')), { status: 200, body: page }, []],
};

describe("an answer that is not the hub's is no answer", () => {
  for (const [name, [ask, good, expected]] of Object.entries(READS))
    it.each(FOREIGN)(`${name}() tries again after %s, and gives what the hub then says`, async (_what, answer) => {
      let n = 0;
      const { reader } = await against(({ res }) => (n++ < 2 ? give(answer, res) : good));
      expect(await ask(reader)).toEqual(expected);
      expect(n).toBe(3);
    });

  it.each(FOREIGN)(
    'state() fails in the end with foreign_answer, never with "no such entry", for %s',
    async (_what, answer) => {
      const { reader } = await against(({ res }) => give(answer, res));
      await expect(reader.state('imigrasi.cegah-aktif', 'C-1', { deadlineMs: 30 })).rejects.toMatchObject({
        name: 'SdkFault',
        code: 'foreign_answer',
        status: 0,
        retryable: true,
      });
    },
  );

  it('state() ends at its deadline although the clock of the machine is set back meanwhile', async () => {
    const wall = Date.now;
    const { reader } = await against(() => {
      Date.now = () => wall() - 3_600_000;
      return { status: 503, body: { code: 'starting' } };
    });
    try {
      const asked = reader.state('imigrasi.cegah-aktif', 'C-1', { deadlineMs: 30 });
      await expect(asked).rejects.toMatchObject({ status: 503 });
    } finally {
      Date.now = wall;
    }
  });

  const OTHER: readonly (readonly [keyof typeof READS, string, Reply])[] = [
    ['state', 'the entry of another key', { status: 200, body: { ...entry, key: 'OTHER' } }],
    ['state', 'the entry of another view', { status: 200, body: { ...entry, view: 'imigrasi.paspor-status' } }],
    ['state', 'an entry with 404', { status: 404, body: entry, headers: json }],
    ['lookup', 'the entry of another view', { status: 200, body: { ...entry, view: 'imigrasi.paspor-status' } }],
    ['receipt', 'the receipt of another id', { status: 200, body: { ...receipt, id: 'b' } }],
    ['receipt', 'the receipt of another source', { status: 200, body: { ...receipt, source: 't' } }],
    ['receipt', 'a receipt with 404', { status: 404, body: receipt, headers: json }],
    ['receipt', 'a receipt without a position', { status: 200, body: { ...receipt, position: '9' } }],
    [
      'read',
      'a page of another stream',
      { status: 200, body: { events: [{ ...receipt, position: 't/0/1' }], next: 'c' } },
    ],
    ['states', 'a list of other things', { status: 200, body: { entries: ['C-1'] } }],
  ];
  it.each(OTHER)(
    '%s() takes %s for no answer: a cache on the way may give what another caller asked for',
    async (name, _what, answer) => {
      let n = 0;
      const [ask, good, expected] = READS[name]!;
      const { reader } = await against(() => (n++ < 2 ? answer : good));
      expect(await ask(reader)).toEqual(expected);
      expect(n).toBe(3);
    },
  );

  const sent = (body: string) => JSON.parse(body) as { id: string; source: string };
  it.each<readonly [string, (id: string, source: string) => Reply]>([
    ['the receipt of another event', (_id, source) => ({ status: 201, body: { ...receipt, id: 'other', source } })],
    ['the receipt of another source', (id) => ({ status: 200, body: { ...receipt, id } })],
    ['a receipt without a place', (id, source) => ({ status: 201, body: { ...receipt, id, source, position: '9' } })],
    ['a receipt with 404', (id, source) => ({ status: 404, body: { ...receipt, id, source }, headers: json })],
    ['results with 403', () => ({ status: 403, body: { results: [] }, headers: json })],
  ])('publish() sends the event again after %s', async (_what, answer) => {
    let n = 0;
    const { connection } = await against(({ body }) => {
      const { id, source } = sent(body);
      return n++ < 2 ? answer(id, source) : { status: 201, body: { ...receipt, id, source } };
    });
    const publisher = createPublisher({ connection, key: 'k', owner: 'SU00123', system: 'uji' });
    const got = await publisher.publish({ type: 'pas.hunian.dilaporkan', data: {} });
    expect([got.position, got.source, n]).toEqual(['s/0/1', publisher.source, 3]);
    await publisher.close();
  });

  it('publishBatch() sends again what a list of answers does not say about its own event', async () => {
    let n = 0;
    const { hub, connection } = await against(({ body }) => {
      const given = body.split('\n').map((line) => ({ ...receipt, ...sent(line) }));
      switch (n++) {
        case 0: // an answer to another request
          return { status: 207, body: { results: [{ status: 201, receipt: given[0] }] } };
        case 1: // in another order; and a refusal that the hub has not said
          return {
            status: 207,
            body: {
              results: [
                { status: 201, receipt: given[0] },
                { status: 201, receipt: given[2] },
                { status: 403, problem: { message: 'forbidden' } },
              ],
            },
          };
        case 2: // and one with a code of the hub, without its type
          return {
            status: 207,
            body: {
              results: [
                { status: 422, problem: { code: 'schema_mismatch', type: undefined } },
                { status: 422, problem: { code: 'schema_mismatch', type: undefined } },
              ],
            },
          };
        default:
          return { status: 201, body: { receipts: given } };
      }
    });
    const publisher = createPublisher({ connection, key: 'k', owner: 'SU00123', system: 'uji' });
    const out = await publisher.publishBatch(
      ['a', 'b', 'c'].map((id) => ({ id, type: 'pas.hunian.dilaporkan', data: {} })),
    );
    expect(out.map((o) => o.ok && o.receipt.id)).toEqual(['a', 'b', 'c']);
    expect(hub.requests.map((r) => r.body.split('\n').length)).toEqual([3, 3, 2, 2]);
    await publisher.close();
  });

  it.each(FOREIGN)(
    'publish() sends the event again after %s: its outcome is open until the hub has spoken',
    async (_what, answer) => {
      let n = 0;
      const { connection } = await against(({ res, body }) => {
        if (n++ < 2) return give(answer, res);
        return { status: 201, body: { ...receipt, ...sent(body) } };
      });
      const publisher = createPublisher({ connection, key: 'k', owner: 'SU00123', system: 'uji' });
      expect((await publisher.publish({ type: 'pas.hunian.dilaporkan', data: {} })).position).toBe('s/0/1');
      await publisher.close();
    },
  );

  it.each(FOREIGN)('live() connects again after %s', async (_what, answer) => {
    let n = 0;
    const { reader } = await against(({ res }) => {
      if (n++ < 2) return give(answer, res);
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(`id: 1\nevent: event\ndata: ${JSON.stringify({ id: 'a', source: 's' })}\n\n`);
      return undefined;
    });
    for await (const e of reader.live('s')) {
      expect(e.id).toBe('a');
      break;
    }
  });

  it('a refusal of the hub is its word: not_found reads as no entry, unauthenticated is thrown at once', async () => {
    const { reader } = await against(() => ({ status: 404, body: { code: 'not_found' } }));
    expect(await reader.state('v', 'C-1')).toBeUndefined();
    const other = await against(() => ({ status: 401, body: { code: 'unauthenticated' } }));
    await expect(other.reader.state('v', 'C-1')).rejects.toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(other.hub.requests).toHaveLength(1);
  });

  it('a call that expects JSON also with an error takes it with that status only', async () => {
    const shape = (b: Readonly<Record<string, unknown>>) => typeof b['status'] === 'string';
    const { connection } = await against(({ query }) => ({
      status: Number(query.get('s')),
      body: { status: 'starting' },
      headers: json,
    }));
    const ask = (s: number) => connection.call(`/health/ready?s=${s}`, { key: 'k', shape, shaped: [503] });
    expect((await ask(503)).body).toEqual({ status: 'starting' });
    await expect(ask(502)).rejects.toMatchObject({ code: 'foreign_answer' });
  });

  it('a code of a newer hub counts when its type names it', async () => {
    const { reader } = await against(() => ({
      status: 409,
      body: { code: 'of_tomorrow', type: '/docs/errors#of_tomorrow' },
    }));
    await expect(reader.state('v', 'C-1')).rejects.toMatchObject({ status: 409, code: 'of_tomorrow' });
  });
});

describe('a key that expires soon', () => {
  it('is told with the first call whose answer says so, once a day for each key', async () => {
    const told: string[] = [];
    const headers = (key: string | undefined): Record<string, string> =>
      key === 'Bearer old' ? { 'simpul-key-expires': '2026-12-01T00:00:00.000Z' } : {};
    const hub = await scriptedHub(({ headers: h }) => ({ status: 200, body: me, headers: headers(h.authorization) }));
    const connection = connect({ url: hub.url, keyExpires: (at) => told.push(at.toISOString()) });
    closing.push(hub.close, () => connection.close());
    await createReader({ connection, key: 'new' }).me();
    expect(told).toEqual([]);
    for (let i = 0; i < 3; i++) await createReader({ connection, key: 'old' }).me();
    expect(told).toEqual(['2026-12-01T00:00:00.000Z']);
  });
});
