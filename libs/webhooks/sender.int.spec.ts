import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { newSecret, newSeed, publicKeyOf, secretText } from '#standard-webhooks';
import { WebhookReceiver } from '../../test/kit/receiver/receiver.js';
import { endpoint, message, readEvent, SECRET } from './events.fixture.js';
import { WebhookSender } from './index.js';

let receiver: WebhookReceiver;
let sender: WebhookSender;
beforeEach(async () => {
  receiver = await WebhookReceiver.start({ keys: [secretText(SECRET)] });
  sender = new WebhookSender({ allow: ['127.0.0.0/8'] });
});
afterEach(async () => {
  await sender.close();
  await receiver.close();
  expect(receiver.connections.open).toBe(0);
});

describe('a webhook that is sent', () => {
  it('arrives signed, once, with its position and its try', async () => {
    const event = readEvent();
    const sent = { ...message(event), try: 3 };
    expect(await sender.send(endpoint(`${receiver.url}in?x=1`), sent)).toEqual({
      ...{ kind: 'delivered', status: 204, ms: expect.any(Number) as unknown },
    });
    const { id, source } = event.envelope;
    expect(receiver.received).toMatchObject([
      { path: '/in?x=1', id: 'msg_0001', try: 3, verified: true, subscription: sent.subscription },
    ]);
    expect(receiver.received[0]!.events).toMatchObject([{ id, source, position: event.position }]);
  });

  it('is signed with every secret during a rotation, and with Ed25519', async () => {
    const newer = newSecret();
    const seed = newSeed();
    const keys = [{ kind: 'v1', secret: newer } as const, { kind: 'v1', secret: SECRET } as const];
    for (const key of [secretText(newer), secretText(SECRET)]) {
      receiver.keys([key]);
      await sender.send(endpoint(receiver.url, { keys }), message());
    }
    receiver.keys([publicKeyOf(seed)]);
    await sender.send(endpoint(receiver.url, { keys: [{ kind: 'v1a', seed }] }), message());
    expect(receiver.received.map(({ verified }) => verified)).toEqual([true, true, true]);
  });

  it('goes out in every form, and its signature covers the bytes of it', async () => {
    for (const mode of ['structured', 'binary', 'batch'] as const)
      for (const data of ['json', 'avro'] as const)
        expect(await sender.send(endpoint(receiver.url, { mode, data }), message())).toMatchObject({ status: 204 });
    expect(receiver.received.map(({ verified, events }) => [verified, events[0]?.type])).toEqual(
      Array(6).fill([true, 'imigrasi.paspor.diterbitkan']),
    );
  });

  it('keeps its connection for the next ones', async () => {
    for (let i = 0; i < 9; i++) await sender.send(endpoint(receiver.url), message());
    // The second one: a connection has its next turn of the event loop before it is used again.
    expect(receiver.connections.made).toBeLessThanOrEqual(2);
  });

  it('never uses more connections to an origin than it may', async () => {
    const few = new WebhookSender({ allow: ['127.0.0.0/8'], connections: 3 });
    receiver.rules([{ answer: { delayMs: 5 } }]);
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => few.send(endpoint(receiver.url), message())));
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']));
    expect(receiver.connections.made).toBe(3);
    await few.close();
  });
});

describe('an answer of the receiver', () => {
  it.each([
    [
      { status: 200, body: 'ok\n\u0007' },
      { kind: 'delivered', status: 200, head: 'ok ' },
    ],
    [{ redirect: 'http://127.0.0.1:1/inner' }, { kind: 'refused', reason: 'status', status: 302 }],
    [{ status: 410 }, { kind: 'gone', reason: 'status', status: 410 }],
    [
      { status: 422, body: 'no NIK' },
      { kind: 'refused', reason: 'status', status: 422, head: 'no NIK' },
    ],
    [
      { status: 429, retryAfter: 3 },
      { kind: 'failed', reason: 'status', status: 429, retryAfterMs: 3_000 },
    ],
    [{ status: 503 }, { kind: 'failed', reason: 'status', status: 503 }],
    [{ reset: 'request' as const }, { kind: 'failed', reason: 'reset' }],
    [{ reset: 'body' as const }, { kind: 'failed', reason: 'reset', status: 200, head: 'x' }],
  ])('%j becomes %j', async (answer, outcome) => {
    receiver.rules([{ answer }]);
    expect(await sender.send(endpoint(receiver.url), message())).toEqual({
      ...outcome,
      ms: expect.any(Number) as unknown,
    });
    expect(receiver.requests).toBe(1);
  });

  it('of 10 GB is read to 64 KiB, counts by its status, and costs the connection', async () => {
    receiver.rules([{ answer: { hugeBytes: 10_000_000_000 } }]);
    const before = process.memoryUsage().rss;
    const outcome = await sender.send(endpoint(receiver.url), message());
    expect(outcome).toMatchObject({ kind: 'delivered', status: 200, head: 'x'.repeat(1_000) });
    receiver.rules([{ answer: { status: 500, hugeBytes: 10_000_000_000 } }]);
    expect(await sender.send(endpoint(receiver.url), message())).toMatchObject({ kind: 'failed', status: 500 });
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    // The pool opens another one in the place of each.
    const closed = (): number => receiver.connections.made - receiver.connections.open;
    while (closed() < 2) await new Promise(setImmediate);
  });

  it.each([
    ['none', { hang: true }, {}],
    ['one byte after the other for ever', { trickleMs: 10 }, { status: 200 }],
  ])('that is %s ends with the time of the attempt', async (_what, answer, more) => {
    const quick = new WebhookSender({ allow: ['127.0.0.0/8'], timeoutMs: 300 });
    receiver.rules([{ answer }]);
    const outcome = await quick.send(endpoint(receiver.url), message());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'timeout', ...more });
    expect(outcome.ms).toBeLessThan(2_000);
    await quick.close();
  });

  it('is not waited for when the signal ends the attempt, nor when the request has no connection yet', async () => {
    const one = new WebhookSender({ allow: ['127.0.0.0/8'], connections: 1 });
    receiver.rules([{ times: 1, answer: { hang: true } }]);
    const stop = new AbortController();
    const first = one.send(endpoint(receiver.url), message(), stop.signal);
    const waits = one.send(endpoint(receiver.url), message(), stop.signal);
    const third = one.send(endpoint(receiver.url), message());
    await receiver.until((all) => all.length === 1);
    stop.abort();
    for (const outcome of [first, waits]) expect(await outcome).toMatchObject({ kind: 'failed', reason: 'cancelled' });
    expect(await third).toMatchObject({ kind: 'delivered' });
    expect(await one.send(endpoint(receiver.url), message(), stop.signal)).toMatchObject({ reason: 'cancelled' });
    expect(receiver.requests).toBe(2);
    await one.close();
  });
});

describe('a receiver that is away', () => {
  it('is unreachable, and is found again at once when it is back', async () => {
    await sender.send(endpoint(receiver.url), message());
    await receiver.down();
    // The connection that was open may be met once.
    await sender.send(endpoint(receiver.url), message());
    expect(await sender.send(endpoint(receiver.url), message())).toMatchObject({
      kind: 'unreachable',
      reason: 'connect',
    });
    await receiver.up();
    expect(await sender.send(endpoint(receiver.url), message())).toMatchObject({ kind: 'delivered' });
  });

  it('is unreachable by the code of DNS when its name has no address', async () => {
    const url = 'https://tidak-ada.invalid/';
    expect(await sender.send(endpoint(url), message())).toMatchObject({ kind: 'unreachable', reason: 'dns' });
  });
});

describe('the handshake of a webhook', () => {
  it('asks with OPTIONS and the origin of the hub', async () => {
    expect(await sender.handshake(receiver, 'hub.example')).toEqual({ kind: 'not_supported', status: 405 });
    const willing = await WebhookReceiver.start({ allowedOrigin: 'hub.example' });
    expect(await sender.handshake(willing, 'hub.example')).toEqual({ kind: 'allowed', perMinute: 120 });
    expect(await sender.handshake(willing, 'other.example')).toEqual({ kind: 'refused', status: 200 });
    const { url } = willing;
    await willing.close();
    expect(await sender.handshake({ url }, 'hub.example')).toMatchObject({ kind: 'unclear' });
  });
});

describe('a sender', () => {
  it('that is closed waits for what is under way and takes nothing more', async () => {
    receiver.rules([{ answer: { delayMs: 50 } }]);
    const running = sender.send(endpoint(receiver.url), message());
    await receiver.until((all) => all.length === 1);
    await sender.close();
    expect(await running).toMatchObject({ kind: 'delivered' });
    expect(await sender.send(endpoint(receiver.url), message())).toMatchObject({ kind: 'failed', reason: 'closed' });
    expect(sender.use).toEqual({ origins: 0, inFlight: 0 });
  });

  it('that is closed now ends what is under way', async () => {
    receiver.rules([{ answer: { hang: true } }]);
    const running = sender.send(endpoint(receiver.url), message());
    await receiver.until((all) => all.length === 1);
    await sender.close(true);
    expect(await running).toMatchObject({ kind: 'failed', reason: 'closed' });
  });

  it('keeps connections to a bounded number of origins', async () => {
    const few = new WebhookSender({ allow: ['127.0.0.0/8'], origins: 2 });
    const receivers = await Promise.all(Array.from({ length: 5 }, () => WebhookReceiver.start()));
    for (const { url } of receivers) await few.send(endpoint(url), message());
    expect(few.use).toEqual({ origins: 2, inFlight: 0 });
    await few.close();
    for (const one of receivers) await one.close();
  });

  it('takes no network that is none', () => {
    expect(() => new WebhookSender({ allow: ['10.0.0.1/8'] })).toThrow('write 10.0.0.0/8');
  });

  it('answers what cannot be a request as an outcome too', async () => {
    const urls = ['', 'ftp://x/', 'https://u:p@x/'];
    for (const url of urls)
      expect(await sender.send(endpoint(url), message())).toMatchObject({ kind: 'unreachable', reason: 'url_refused' });
    const bad = { ...message(), id: 'a\r\nx: y' };
    expect(await sender.send(endpoint(receiver.url), bad)).toMatchObject({ kind: 'failed', reason: 'invalid_request' });
    expect(sender.use.inFlight).toBe(0);
    expect(receiver.requests).toBe(0);
  });

  it('makes requests that standardwebhooks accepts', async () => {
    const { createServer } = await import('node:http');
    const seen = new Promise<unknown>((done) => {
      const server = createServer((req, res) => {
        const chunks: Buffer[] = [];
        req.on('data', (c: Buffer) => chunks.push(c));
        req.on('end', () => {
          res.writeHead(204, { connection: 'close' }).end();
          server.close();
          const body = Buffer.concat(chunks).toString();
          done(new Webhook(secretText(SECRET)).verify(body, req.headers as Record<string, string>));
        });
      }).listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        void sender.send(endpoint(`http://127.0.0.1:${port}/`), message());
      });
    });
    expect(await seen).toMatchObject({ specversion: '1.0', type: 'imigrasi.paspor.diterbitkan' });
  });
});
