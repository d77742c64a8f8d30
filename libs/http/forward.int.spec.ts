import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Desks } from '#delivery';
import { Fault } from '#faults';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeTable } from '../../test/kit/doors/fake-desk.js';
import { SubscriptionEdge, type Answer } from '../../test/kit/doors/subscription-edge.js';

let table: FakeTable;
let gateway: SubscriptionEdge;
let owner: SubscriptionEdge;
let others: Server[];
beforeEach(async () => {
  others = [];
  table = new FakeTable();
  gateway = await new SubscriptionEdge(table).open({ waitMs: 600 });
  owner = await new SubscriptionEdge(table).open({ waitMs: 600 });
  table.ownAll(owner.url);
});
afterEach(async () => {
  await Promise.all([gateway.close(true), owner.close(true)]);
  for (const other of others) {
    other.closeAllConnections();
    other.close();
  }
});

/** A process that is no hub, for what a hub would not do. Answers its address. */
async function otherProcess(handle: (req: IncomingMessage, res: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  others.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const outcome = ({ status, body }: Answer): unknown => [status, body?.code];
const SPEC = { name: 'payroll', types: ['sdm.#'], target: { kind: 'pull' } };
const makingPartition = partitionOfSubscription(subscriptionId('SU00123', 'payroll'));

describe('a request about a subscription of another process', () => {
  it('is sent on as it is, and its answer passed through: status, ETag, secret, problem documents', async () => {
    const made = await gateway.ask('POST', '', 'own', {
      ...SPEC,
      target: { kind: 'webhook', url: 'https://a.example' },
    });
    expect([made.status, made.headers.get('etag'), made.headers.get('cache-control'), made.body.secret]).toEqual([
      ...[201, '"1"', 'no-store', 'whsec_BARU'],
    ]);
    const id = made.body.id as string;
    // By the process that did it, once.
    expect([gateway.audit.length, owner.audit.map(({ phase }) => phase)]).toEqual([0, ['intent', 'done']]);
    const page = await gateway.ask('GET', `/${id}/deliveries?limit=2&state=dead`, 'own');
    expect([page.status, page.body]).toEqual([200, { deliveries: [], next: null }]);
    const stale = await gateway.ask(
      'PATCH',
      `/${id}`,
      'own',
      { types: ['a'] },
      { 'if-match': '"7"', 'accept-language': 'en' },
    );
    expect([outcome(stale), stale.headers.get('content-language'), stale.headers.get('content-type')]).toEqual([
      ...[[412, 'version_changed'], 'en', 'application/problem+json; charset=utf-8'],
    ]);
    expect((await gateway.ask('GET', `/${id}`, 'beside')).status).toBe(404);
    const gone = await gateway.ask('DELETE', `/${id}`, 'own');
    expect([gone.status, gone.body.status, table.rows.size]).toEqual([200, 'removed', 0]);
    table.ownAll(await otherProcess((_req, res) => void res.writeHead(204).end()));
    const empty = await gateway.ask('POST', `/${id}/resume`, 'own');
    expect([empty.status, empty.body]).toEqual([204, undefined]);
  });

  it('carries the key, the query, the body and the address of the first hub, and no header of its connection', async () => {
    const id = await owner.made();
    let got: { url: string | undefined; headers: Record<string, unknown>; body: string } | undefined;
    const address = await otherProcess((req, res) => {
      let body = '';
      req.on('data', (part: Buffer) => (body += part.toString()));
      req.on('end', () => {
        got = { url: req.url, headers: req.headers, body };
        res
          .writeHead(200, { 'x-more': 'yes', connection: 'x-hop', 'x-request-id': 'other', date: 'never' })
          .end('{"ok":true}');
      });
    });
    table.ownAll(address);
    const answer = await gateway.ask(
      'POST',
      `/${id}/pause?`,
      'own',
      { why: 'x' },
      { 'x-request-id': 'permintaan-1', te: 'trailers' },
    );
    expect([answer.status, answer.body, answer.headers.get('x-more'), answer.headers.get('x-request-id')]).toEqual([
      ...[200, { ok: true }, 'yes', 'permintaan-1'],
    ]);
    expect(got).toMatchObject({
      url: `/v1/subscriptions/${id}/pause?`,
      body: '{"why":"x"}',
      headers: { authorization: 'Bearer own', 'x-request-id': 'permintaan-1', 'content-type': 'application/json' },
    });
    expect(got!.headers['simpul-forwarded']).toMatch(/^http:\/\//);
    expect(got!.headers['te']).toBeUndefined();
  });

  it('that was sent on once and is not at its owner is 421, also when no owner is known', async () => {
    const id = await owner.made();
    const forwarded = { 'simpul-forwarded': owner.url };
    expect(outcome(await gateway.ask('GET', `/${id}`, 'own', undefined, forwarded))).toEqual([421, 'not_owner']);
    table.owners.clear();
    expect(outcome(await gateway.ask('GET', `/${id}`, 'own', undefined, forwarded))).toEqual([421, 'not_owner']);
  });

  it('never goes round: two hubs that take each other for the owner answer 503 with Retry-After', async () => {
    const id = await owner.made();
    let asked = 0;
    const address = await otherProcess((_req, res) => {
      asked++;
      res.writeHead(421).end('{}');
    });
    table.ownAll(address);
    const answer = await gateway.ask('GET', `/${id}`, 'own');
    expect([outcome(answer), answer.headers.get('retry-after')]).toEqual([[503, 'no_courier'], '1']);
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThan(10);
  });

  it('waits for the next owner when nobody owns it, when the owner does not answer any more, and when it says 421', async () => {
    const id = await owner.made();
    const dead = await otherProcess(() => undefined);
    others[0]!.close();
    const wrong = await otherProcess((_req, res) => void res.writeHead(421).end());
    for (const before of [undefined, dead, wrong]) {
      if (before === undefined) table.owners.clear();
      else table.ownAll(before);
      const asked = gateway.ask('POST', `/${id}/pause`, 'own', { why: 'x' });
      setTimeout(() => table.ownAll(owner.url), 150);
      expect([before, (await asked).status]).toEqual([before, 200]);
    }
  });

  it('is answered 503 when the owner is killed while it works: a change once, because nobody knows what was done; a look is tried again', async () => {
    const id = await owner.made();
    let asked = 0;
    const address = await otherProcess((req) => {
      asked++;
      req.socket.destroy();
      table.owners.set(partitionOfSubscription(id), owner.url);
    });
    table.ownAll(address);
    const change = await gateway.ask('POST', `/${id}/pause`, 'own', { why: 'x' });
    expect([outcome(change), change.headers.get('retry-after'), asked]).toEqual([[503, 'no_courier'], '1', 1]);
    table.ownAll(address);
    expect([(await gateway.ask('GET', `/${id}`, 'own')).status, asked]).toEqual([200, 2]);
  });

  it('is done by the new owner when a write of this process is fenced, and 421 where it had been sent on', async () => {
    const id = await owner.made();
    const p = partitionOfSubscription(id);
    // It still takes itself for the owner: the claim of the other one has not been read yet.
    const stale = await new SubscriptionEdge(table).open({ waitMs: 600, desks: fenced(p) });
    const forwarded = { 'simpul-forwarded': gateway.url };
    expect(outcome(await stale.ask('POST', `/${id}/pause`, 'own', { why: 'x' }, forwarded))).toEqual([
      421,
      'not_owner',
    ]);
    const done = await stale.ask('POST', `/${id}/pause`, 'own', { why: 'x' });
    expect([done.status, done.body.status]).toEqual([200, 'paused']);
    await stale.close(true);
  });

  it('ends when its client goes away', async () => {
    const id = await owner.made();
    const closed = new Promise<void>((resolve) => {
      void otherProcess((req) => void req.on('close', resolve)).then((address) => table.ownAll(address));
    });
    await until(() => table.owners.get(0) !== owner.url);
    const client = new AbortController();
    const asked = fetch(`${gateway.url}/v1/subscriptions/${id}`, {
      headers: { authorization: 'Bearer own' },
      signal: client.signal,
    });
    setTimeout(() => client.abort(), 100);
    await expect(asked).rejects.toThrow();
    await closed;
  });

  it('is streamed: the first bytes of an answer arrive before its last ones are made', async () => {
    const id = await owner.made();
    let end: () => void = () => undefined;
    const address = await otherProcess((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: satu\n\n');
      end = () => void res.end('data: dua\n\n');
    });
    table.ownAll(address);
    const r = await fetch(`${gateway.url}/v1/subscriptions/${id}`, { headers: { authorization: 'Bearer own' } });
    const reader = r.body!.getReader();
    const text = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    expect([r.headers.get('content-type'), await text()]).toEqual(['text/event-stream', 'data: satu\n\n']);
    end();
    expect(await text()).toBe('data: dua\n\n');
  });

  it('makes every subscription of one name at one process, and each name is taken once', async () => {
    table.owners.set(makingPartition, gateway.url);
    const answers = await Promise.all(
      [gateway, owner, gateway, owner].map((edge) => edge.ask('POST', '', 'own', SPEC)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
    expect(table.rows.size).toBe(1);
  });
});

/** Desks of a process that has lost partition `p` and finds out at its first write. */
function fenced(p: number): Desks {
  const known = table.desksAt(() => owner.url);
  let tries = 0;
  return {
    of: (partition) => {
      if (partition !== p || tries++ > 0) return { kind: 'there', address: owner.url };
      const place = known.of(partition);
      if (place.kind !== 'here') return place;
      return { kind: 'here', desk: { ...place.desk, pause: fault } };
    },
  };
}

const fault = (): Promise<never> => Promise.reject(new Fault('fenced'));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
