import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer as createTlsServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSigned } from '../../test/kit/certificate.js';
import { WebhookReceiver } from '../../test/kit/receiver/receiver.js';
import { endpoint, message } from './events.fixture.js';
import { WebhookSender, type WebhookSenderOptions } from './index.js';

const open: { close(): Promise<unknown> }[] = [];
let receiver: WebhookReceiver;
let port: string;
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
  ({ port } = new URL(receiver.url));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await receiver.close();
});

function sender(options: WebhookSenderOptions = {}): WebhookSender {
  const made = new WebhookSender({ timeoutMs: 2_000, ...options });
  open.push(made);
  return made;
}
const REFUSED = { kind: 'unreachable', reason: 'address_refused', ms: expect.any(Number) as unknown };

/** Names and their addresses, one list for each look-up. */
function dns(answers: Readonly<Record<string, readonly (readonly string[])[]>>) {
  const asked: string[] = [];
  const lookup = (name: string): Promise<readonly string[]> => {
    const lists = answers[name] ?? [];
    const at = asked.filter((n) => n === name).length;
    asked.push(name);
    return Promise.resolve(lists[Math.min(at, lists.length - 1)] ?? []);
  };
  return { lookup, asked };
}

describe('a webhook to an inner address is not sent', () => {
  it.each([
    'http://127.0.0.1:PORT/',
    'http://0x7f.1:PORT/',
    'http://2130706433:PORT/',
    'http://0177.0.0.1:PORT/',
    'http://127.1:PORT/',
    'http://127。0。0。1:PORT/',
    'http://①②⑦.⓪.⓪.①:PORT/',
    'http:127.0.0.1:PORT',
    'http:\\\\127.0.0.1:PORT\\',
    'http://0.0.0.0:PORT/',
    'http://[::]:PORT/',
    'http://[::1]:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[::127.0.0.1]:PORT/',
    'http://[64:ff9b::7f00:1]:PORT/',
    'http://[64:ff9b:1::7f00:1]:PORT/',
    'http://[2002:7f00:1::]:PORT/',
    'http://169.254.169.254/',
    'https://10.0.0.1/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
  ])('%s', async (url) => {
    expect(await sender().send(endpoint(url.replace('PORT', port)), message())).toEqual(REFUSED);
    expect(receiver.connections.made).toBe(0);
  });

  it.each(['localhost', 'localhost.', 'LOCALHOST', 'x.localhost'])('by the name %s of this machine', async (name) => {
    const outcome = await sender().send(endpoint(`http://${name}:${port}/`), message());
    expect(outcome).toMatchObject({
      kind: 'unreachable',
      reason: expect.stringMatching(/^(address_refused|dns)$/) as unknown,
    });
    expect(receiver.connections.made).toBe(0);
  });

  it('by a name that has one inner address among public ones', async () => {
    const { lookup } = dns({ 'mixed.example': [['1.1.1.1', '127.0.0.1']], 'none.example': [[]] });
    const guarded = sender({ lookup });
    for (const name of ['mixed.example', 'none.example'])
      expect(await guarded.send(endpoint(`https://${name}/`), message())).toEqual(REFUSED);
  });

  it('by a name of an allowed network that has one other inner address', async () => {
    const { lookup } = dns({ 'mixed.example': [['127.0.0.1', '10.0.0.1']] });
    const outcome = await sender({ lookup, allow: ['127.0.0.0/8'] }).send(
      endpoint(`http://mixed.example:${port}/`),
      message(),
    );
    expect([outcome, receiver.connections.made]).toEqual([REFUSED, 0]);
  });

  it('by a name whose address changes behind the check: a new connection is checked again, and reaches what was checked', async () => {
    const { lookup, asked } = dns({ 'rebind.example': [['127.0.0.1'], ['127.0.0.1'], ['10.0.0.1']] });
    const guarded = sender({ lookup, allow: ['127.0.0.0/8'] });
    const url = `http://rebind.example:${port}/`;
    expect(await guarded.checkUrl(url)).toMatchObject({ ok: true });
    receiver.rules([{ answer: { headers: { connection: 'close' } } }]);
    expect(await guarded.send(endpoint(url), message())).toMatchObject({ kind: 'delivered' });
    expect(asked).toHaveLength(2);
    expect(await guarded.send(endpoint(url), message())).toEqual(REFUSED);
    expect([asked.length, receiver.connections.made]).toEqual([3, 1]);
  });

  it('by a redirect', async () => {
    const inner = await WebhookReceiver.start();
    open.push(inner);
    receiver.rules([{ answer: { redirect: inner.url } }]);
    for (const status of [301, 302, 307, 308]) {
      receiver.rules([{ answer: { status, redirect: inner.url } }]);
      expect(await sender({ allow: ['127.0.0.0/8'] }).send(endpoint(receiver.url), message())).toMatchObject({
        ...{ kind: 'refused', status },
      });
    }
    expect(inner.connections.made).toBe(0);
  });

  it('through a proxy of the environment', async () => {
    const proxy = await WebhookReceiver.start();
    open.push(proxy);
    const names = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : proxy.url;
    try {
      expect(await sender({ allow: ['127.0.0.0/8'] }).send(endpoint(receiver.url), message())).toMatchObject({
        kind: 'delivered',
      });
      expect(await sender().send(endpoint('https://10.0.0.1/'), message())).toEqual(REFUSED);
    } finally {
      for (const [i, name] of names.entries())
        if (before[i] === undefined) delete process.env[name];
        else process.env[name] = before[i];
    }
    expect(proxy.connections.made).toBe(0);
  });
});

describe('a public address', () => {
  it.each(['http://1.1.1.1/', 'https://1.1.1.1:9443/', 'https://[2606:4700::1111]:22/', 'http://name.example/'])(
    'is not reached by %s: https, port 443 or 8443',
    async (url) => {
      const { lookup } = dns({ 'name.example': [['1.1.1.1']] });
      expect(await sender({ lookup }).send(endpoint(url), message())).toEqual(REFUSED);
    },
  );
});

describe('a network that is allowed', () => {
  it('is reached at any port and over http, by a name too, with the name as Host', async () => {
    const { lookup } = dns({ 'unit.internal': [['127.0.0.1']] });
    const allowed = sender({ lookup, allow: ['127.0.0.0/8'] });
    expect(await allowed.send(endpoint(receiver.url), message())).toMatchObject({ kind: 'delivered' });
    expect(await allowed.send(endpoint(`http://unit.internal:${port}/`), message())).toMatchObject({
      kind: 'delivered',
    });
    expect(await sender({ allow: ['10.0.0.0/8'] }).send(endpoint(receiver.url), message())).toEqual(REFUSED);
  });
});

describe('TLS', () => {
  let server: Server;
  let hosts: (string | undefined)[];
  const certificate = selfSigned();
  beforeEach(async () => {
    hosts = [];
    server = createTlsServer(certificate, (req, res) => {
      hosts.push(req.headers.host);
      req.resume().on('end', () => res.writeHead(204).end());
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    open.push({ close: () => new Promise((done) => server.close(done).closeAllConnections()) });
  });
  const at = (host: string): string => `https://${host}:${(server.address() as AddressInfo).port}/`;

  it('asks for a certificate of the name, whatever the address', async () => {
    const { lookup } = dns({ 'unit.example': [['127.0.0.1']] });
    const trusting = sender({ lookup, allow: ['127.0.0.0/8'], ca: certificate.cert });
    // The certificate is for 127.0.0.1.
    expect(await trusting.send(endpoint(at('127.0.0.1')), message())).toMatchObject({ kind: 'delivered' });
    expect(await trusting.send(endpoint(at('unit.example')), message())).toMatchObject({
      kind: 'unreachable',
      reason: 'tls',
    });
    expect(hosts).toEqual([new URL(at('127.0.0.1')).host]);
  });

  it('with a certificate of nobody, or where none is spoken, is unreachable', async () => {
    const careful = sender({ allow: ['127.0.0.0/8'] });
    expect(await careful.send(endpoint(at('127.0.0.1')), message())).toMatchObject({
      kind: 'unreachable',
      reason: 'tls',
    });
    const plain = `https://127.0.0.1:${port}/`;
    expect(await careful.send(endpoint(plain), message())).toMatchObject({ kind: 'unreachable', reason: 'tls' });
  });
});

describe('the URL of a subscription', () => {
  const { lookup } = dns({
    'public.example': [['1.1.1.1']],
    'unit.internal': [['10.1.0.7']],
    'mixed.example': [['1.1.1.1', '10.2.0.1']],
  });
  const check = (url: string) => sender({ lookup, allow: ['10.1.0.0/16'] }).checkUrl(url);

  it.each([
    ['https://public.example/in?x=1', 'https://public.example/in?x=1'],
    ['HTTPS://PUBLIC.example:8443', 'https://public.example:8443/'],
    ['https://not-yet-in-dns.example/', 'https://not-yet-in-dns.example/'],
    ['http://unit.internal:3000/in', 'http://unit.internal:3000/in'],
    ['http://10.1.0.7:3000/', 'http://10.1.0.7:3000/'],
  ])('%s is accepted', async (text, url) => {
    expect(await check(text)).toEqual({ ok: true, url });
  });

  it.each([
    ['unit', 'not a URL'],
    ['https://', 'not a URL'],
    [`https://public.example/${'x'.repeat(2_048)}`, 'more than 2048 characters'],
    ['ftp://public.example/', 'the scheme ftp: is not accepted for this address'],
    ['http://public.example/', 'the scheme http: is not accepted for this address'],
    ['http://not-yet-in-dns.example/', 'the scheme http: is not accepted for this address'],
    ['https://public.example:9092/', 'the port 9092 is not accepted for this address'],
    ['https://u@public.example/', 'holds a user name or a password'],
    ['https://public.example/#x', 'holds a fragment (#…)'],
    ['https://public.example/#', 'holds a fragment (#…)'],
    ['https://127.0.0.1/', '127.0.0.1 is not a public address, and its network is not allowed'],
    ['https://0x7f.1/', '127.0.0.1 is not a public address, and its network is not allowed'],
    ['https://[::1]/', '[::1] is not a public address, and its network is not allowed'],
    ['https://mixed.example/', 'mixed.example is not a public address, and its network is not allowed'],
  ])('%s is not: %s', async (text, reason) => {
    const checked = await check(text);
    expect(checked.ok || checked.reason.in('en')).toBe(reason);
  });
});

describe('a network that is open for one unit', () => {
  const above = (unit: string): ReadonlySet<string> => new Set(unit === 'SU00002' ? ['SU00001'] : []);

  it('is reached by webhooks of that unit and of those below it, and by nobody else, also while connections to it are open', async () => {
    const guarded = sender({ allow: ['SU00001=127.0.0.0/8'], above });
    const sent = (owner: string | undefined) =>
      guarded.send({ ...endpoint(receiver.url), ...(owner === undefined ? {} : { owner }) }, message());
    for (const owner of ['SU00001', 'SU00002', 'SU00001'])
      expect(await sent(owner)).toMatchObject({ kind: 'delivered' });
    for (const owner of ['SU00003', 'EXT-BANK', undefined]) expect(await sent(owner)).toEqual(REFUSED);
    const asked = await guarded.handshake({ url: receiver.url, owner: 'SU00003' }, 'hub.example');
    expect(asked).toEqual({ kind: 'unclear', outcome: REFUSED });
    expect(receiver.requests).toBe(3);
  });

  it('may be named by a subscription of that unit alone', async () => {
    const guarded = sender({ allow: ['10.1.0.0/16', 'SU00001=10.2.0.0/16'], above });
    const check = async (url: string, owner: string) => (await guarded.checkUrl(url, owner)).ok;
    expect(await check('http://10.2.0.1/', 'SU00002')).toBe(true);
    expect(await check('http://10.2.0.1/', 'SU00003')).toBe(false);
    expect(await check('http://10.1.0.1/', 'SU00003')).toBe(true);
  });

  it('is open by the unit tree of the moment', async () => {
    const tree = new Set(['SU00001']);
    const guarded = sender({ allow: ['SU00001=127.0.0.0/8'], above: () => tree });
    const of = { ...endpoint(receiver.url), owner: 'SU00002' };
    expect(await guarded.send(of, message())).toMatchObject({ kind: 'delivered' });
    tree.clear();
    expect(await guarded.send(of, message())).toEqual(REFUSED);
  });
});
