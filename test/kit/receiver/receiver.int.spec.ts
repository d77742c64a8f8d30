import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newSecret, secretText, signatureOf } from '#standard-webhooks';
import { startReceiver, type ReceiverProcess } from './process.js';
import { WebhookReceiver } from './receiver.js';
import type { Received } from './script.js';

const secret = newSecret();
const event = (id: string, subject: string) => ({
  specversion: '1.0',
  ...{
    id,
    subject,
    source: 'urn:simpul:unit:SU00001:sdm',
    type: 'sdm.pegawai.mutasi',
    position: `sdm.pegawai/0/${id}`,
  },
});

async function post(url: string, body: unknown, n = 1): Promise<Response> {
  const text = JSON.stringify(body);
  const at = Math.floor(Date.now() / 1_000);
  return fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(at),
      'webhook-signature': signatureOf([{ kind: 'v1', secret }], 'msg_1', at, Buffer.from(text)),
      'simpul-try': String(n),
      'simpul-subscription': 'sub_1',
    },
    body: text,
  });
}

describe('the receiver of webhooks', () => {
  let receiver: WebhookReceiver;
  beforeEach(async () => {
    receiver = await WebhookReceiver.start({ keys: [secretText(secret)] });
  });
  afterEach(() => receiver.close());

  it('records each request with what the sender says of it, and whether its signature fits', async () => {
    await post(`${receiver.url}in`, event('7', 'S1'), 2);
    await fetch(receiver.url, { method: 'POST', body: JSON.stringify([event('8', 'S1'), event('9', 'S2')]) });
    const binary = { 'ce-id': '10', 'ce-source': 'urn:x', 'ce-type': 't', 'ce-subject': 'Jl.%20Raya' };
    await fetch(receiver.url, { method: 'POST', headers: binary, body: '{}' });
    const [first, second, third] = receiver.received;
    const { position, ...attributes } = event('7', 'S1');
    expect(first).toMatchObject({
      ...{ n: 0, path: '/in', id: 'msg_1', try: 2, subscription: 'sub_1', verified: true, answer: 204 },
      events: [{ source: attributes.source, id: '7', type: attributes.type, subject: 'S1', position }],
    });
    expect(second).toMatchObject({ verified: false, events: [{ id: '8' }, { id: '9' }] });
    expect(third).toMatchObject({ events: [{ id: '10', subject: 'Jl. Raya' }] });
  });

  it('answers by the first rule that holds: subject, try, count and time', async () => {
    const rules = [
      { subject: 'S1', tries: [1], answer: { status: 503, retryAfter: 7 } },
      { subject: 'S2', skip: 1, times: 1, answer: { status: 410 } },
      { fromMs: 60_000, answer: { status: 500 } },
      { path: '/r', answer: { redirect: 'http://127.0.0.1:1/' } },
    ];
    receiver.rules(rules);
    const first = await post(receiver.url, event('1', 'S1'));
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '7']);
    expect((await post(receiver.url, event('1', 'S1'), 2)).status).toBe(204);
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await post(receiver.url, event('2', 'S2'))).status);
    expect(statuses).toEqual([204, 410, 204]);
    const moved = await post(`${receiver.url}r`, event('3', 'S3'));
    expect([moved.status, moved.headers.get('location')]).toEqual([302, 'http://127.0.0.1:1/']);
    receiver.rules([{ untilMs: 60_000, answer: { status: 418, body: 'x' } }]);
    expect((await post(receiver.url, event('4', 'S4'))).status).toBe(418);
  });

  it('cuts the connection before the answer, or in the middle of it, hangs, trickles, and gives a huge answer', async () => {
    receiver.rules([{ answer: { reset: 'request' } }]);
    await expect(post(receiver.url, event('1', 'S'))).rejects.toThrow('fetch failed');
    receiver.rules([{ answer: { reset: 'body' } }]);
    const cut = await post(receiver.url, event('1', 'S'));
    expect(cut.status).toBe(200);
    await expect(cut.text()).rejects.toThrow('terminated');
    receiver.rules([{ answer: { hugeBytes: 3_000_000 } }]);
    expect((await (await post(receiver.url, event('1', 'S'))).arrayBuffer()).byteLength).toBe(3_000_000);
    for (const answer of [{ hang: true }, { trickleMs: 5 }]) {
      receiver.rules([{ answer }]);
      const stop = new AbortController();
      const came = receiver.until((all) => all.length > 0);
      receiver.forget();
      const asked = fetch(receiver.url, { method: 'POST', body: '{}', signal: stop.signal }).then((r) => r.text());
      asked.catch(() => undefined);
      await came;
      stop.abort();
      await expect(asked).rejects.toThrow('aborted');
    }
  });

  it('is away and back at the same port', async () => {
    await post(receiver.url, event('1', 'S'));
    await receiver.down();
    expect(receiver.connections.open).toBe(0);
    await expect(post(receiver.url, event('2', 'S'))).rejects.toThrow('fetch failed');
    await receiver.up();
    expect((await post(receiver.url, event('2', 'S'))).status).toBe(204);
  });
});

describe('the receiver of webhooks as a process', () => {
  let dir: string;
  let receiver: ReceiverProcess;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-receiver-'));
    receiver = await startReceiver({ keys: [secretText(secret)], history: join(dir, 'history') });
  });
  afterAll(async () => {
    await receiver.close();
    rmSync(dir, { recursive: true });
  });

  it('takes its rules over HTTP, is controlled while it is down, and its history outlives it', async () => {
    await receiver.rules([{ subject: 'S1', answer: { status: 500 } }]);
    expect((await post(receiver.url, event('1', 'S1'))).status).toBe(500);
    await receiver.down();
    expect(await receiver.counts()).toMatchObject({ requests: 1, recorded: 1, connections: { open: 0 } });
    await receiver.up();
    const { url } = receiver;
    await receiver.kill();
    await receiver.start();
    expect(receiver.url).toBe(url);
    expect((await post(receiver.url, event('2', 'S1'))).status).toBe(204);
    expect(await receiver.received()).toMatchObject([{ n: 0, verified: true, events: [{ id: '2' }] }]);
    const lines = readFileSync(join(dir, 'history'), 'utf8').trim().split('\n');
    expect(lines.map((l) => (JSON.parse(l) as Received).answer)).toEqual([500, 204]);
  });
});
