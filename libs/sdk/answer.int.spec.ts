import { afterEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
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
const html = { 'content-type': 'text/html' };
const json = { 'content-type': 'application/json' };
/** What stands between a unit and the hub may answer for it. */
const FOREIGN: readonly (readonly [what: string, answer: Reply | string])[] = [
  ['404 HTML of an ingress', { status: 404, body: 'default backend - 404', headers: html }],
  ['404 JSON of a gateway', { status: 404, body: { message: 'no Route matched' }, headers: json }],
  ['404 problem document of another service', { status: 404, body: { title: 'Not Found', status: 404 } }],
  ['403 HTML of a firewall', { status: 403, body: 'blocked', headers: html }],
  ['413 of a proxy', { status: 413, body: 'too large', headers: html }],
  ['401 of a proxy', { status: 401, body: 'login', headers: html }],
  ['a login page with 200', { status: 200, body: '<html>', headers: html }],
  ['JSON of another form with 200', { status: 200, body: { status: 'ok' }, headers: json }],
  ['a list with 200', { status: 200, body: [], headers: json }],
  ['a redirect', { status: 302, headers: { location: '/login' } }],
  ['cut JSON with 200', '{"key":"C-1","val'],
  ['an empty answer with 200', ''],
];
const give = (answer: Reply | string, res: ServerResponse) => {
  if (typeof answer !== 'string') return answer;
  res.writeHead(200, json);
  res.end(answer);
  return undefined;
};

const entry = {
  view: 'v',
  key: 'C-1',
  value: { nomorCekal: 'C-1' },
  position: 's/0/1',
  updatedtime: 't',
  stale: false,
};
const page = { events: [], next: 'c' };
const receipt = { position: 's/0/1', id: 'a', type: 't', duplicate: false };
const READS: Readonly<Record<string, readonly [(r: Reader) => Promise<unknown>, Reply, unknown]>> = {
  state: [(r) => r.state('imigrasi.cegah-aktif', 'C-1'), { status: 200, body: entry }, entry],
  lookup: [(r) => r.lookup('imigrasi.cegah-aktif', { nik: '9901' }), { status: 200, body: entry }, entry],
  receipt: [(r) => r.receipt('s', 'a'), { status: 200, body: receipt }, receipt],
  states: [(r) => all(r.states('v')), { status: 200, body: { entries: [entry] } }, [entry]],
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

  it.each(FOREIGN)(
    'publish() sends the event again after %s: its outcome is open until the hub has spoken',
    async (_what, answer) => {
      let n = 0;
      const { connection } = await against(({ res }) => (n++ < 2 ? give(answer, res) : { status: 201, body: receipt }));
      const publisher = createPublisher({ connection, key: 'k', owner: 'SU00123', system: 'uji' });
      expect(await publisher.publish({ type: 'pas.hunian.dilaporkan', data: {} })).toEqual(receipt);
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

  it('a code of a newer hub counts when its type names it', async () => {
    const { reader } = await against(() => ({
      status: 409,
      body: { code: 'of_tomorrow', type: '/docs/errors#of_tomorrow' },
    }));
    await expect(reader.state('v', 'C-1')).rejects.toMatchObject({ status: 409, code: 'of_tomorrow' });
  });
});
