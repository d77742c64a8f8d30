import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SourceSet, type Sink } from '#consuming';
import { CegahDiusulkan } from '#event-types';
import type { ReadEvent } from '#sdk';
import { newSecret, secretText, signatureOf } from '#standard-webhooks';
import { scriptedHub } from '../../../../test/kit/scripted-hub.js';
import { History } from '../history.js';
import type { Office } from '../office.js';
import { Webhooks } from './webhooks.js';

const SECRET = newSecret();
const office = { owner: 'SU00030', system: 'cekal', name: 'Wasdakim', key: 'k' } as Office;
const event = (id: string): ReadEvent =>
  ({ id, source: 'urn:simpul:party:EXT-KPK:cekal', type: CegahDiusulkan.type, subject: `USL-${id}`, position: `imigrasi.cegah/0/${id}` }) as ReadEvent; // prettier-ignore

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An office with a subscription; its app takes events and ends each when it is told. */
async function stage(taken: readonly string[] = []) {
  const names = [...taken];
  const hub = await scriptedHub(({ method, path }) => {
    if (method === 'GET') return { status: 200, body: { subscriptions: [{ id: 'sub_old' }] } };
    if (method === 'DELETE') {
      names.splice(0);
      return { status: path.endsWith('/sub_old') ? 204 : 404 };
    }
    if (names.length > 0) return { status: 409, body: { code: 'name_taken' } };
    return { status: 201, body: { id: 'sub_1', secret: secretText(SECRET) } };
  });
  const dir = mkdtempSync(join(tmpdir(), 'simpul-ministry-'));
  const history = new History(join(dir, 'h.ndjson'), () => 0);
  const webhooks = new Webhooks({ url: hub.url, from: '2021-07-15T00:00:00Z', history });
  const filters = [{ exact: { 'data.jenis': 'cegah' } }];
  const follower = webhooks.follow(office, [CegahDiusulkan], filters);
  const got: string[] = [];
  const sink: Sink = {
    deliver: ({ feed, events }) => {
      got.push(`${feed} ${events[0]!.event.id}`);
      return Promise.resolve();
    },
    revoke: () => Promise.resolve(),
  };
  const set = new SourceSet();
  await webhooks.open(set);
  const running = set.run(sink, { types: [CegahDiusulkan.type] });
  closing.push(
    () => rmSync(dir, { recursive: true }),
    () => hub.close(),
    async () => {
      await set.stop();
      await running;
    },
  );
  const send = async (e: ReadEvent, webhookId = `msg_${e.id}`, secret = SECRET): Promise<number> => {
    const body = JSON.stringify(e);
    const now = Math.floor(Date.now() / 1_000);
    const answer = await fetch(follower.receiver.url, {
      method: 'POST',
      headers: {
        ...{ 'webhook-id': webhookId, 'webhook-timestamp': String(now), connection: 'close' },
        'webhook-signature': signatureOf([{ kind: 'v1', secret }], webhookId, now, Buffer.from(body)),
      },
      body,
    });
    return answer.status;
  };
  const lines = (): Record<string, unknown>[] => {
    history.flush();
    const text = readFileSync(join(dir, 'h.ndjson'), 'utf8');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  closing.push(() => history.close());
  return { hub, webhooks, follower, got, send, lines };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe('an office with a webhook', () => {
  it('makes its subscription from the start of the day on, in the place of one of an earlier day, and writes it into the history', async () => {
    const { hub, lines } = await stage(['cegah-diusulkan']);
    expect(hub.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v1/subscriptions',
      'GET /v1/subscriptions',
      'DELETE /v1/subscriptions/sub_old',
      'POST /v1/subscriptions',
    ]);
    expect(JSON.parse(hub.requests.at(-1)!.body)).toMatchObject({
      ...{ name: 'cegah-diusulkan', types: [CegahDiusulkan.type], start: '2021-07-15T00:00:00Z' },
      filters: [{ exact: { 'data.jenis': 'cegah' } }],
      target: { kind: 'webhook', url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\//) },
    });
    expect(lines()).toMatchObject([
      { f: 'subscribe', process: 'cekal@SU00030', subscription: 'sub_1', evtypes: [CegahDiusulkan.type] },
    ]);
  });

  it('answers when the handler of the app has ended, and gives an event that comes again to no handler', async () => {
    const { webhooks, got, send, lines } = await stage();
    let answered = false;
    const first = send(event('1')).finally(() => (answered = true));
    await until(() => got.length === 1);
    expect([got, answered, webhooks.received]).toEqual([['SU00030/webhook/cegah-diusulkan 1'], false, 0]);
    const again = send(event('1'));
    webhooks.handled('SU00030', event('1'));
    expect([await first, await again, await send(event('1'))]).toEqual([204, 204, 204]);
    expect([got.length, webhooks.received]).toEqual([1, 1]);
    const delivered = lines().filter(({ f }) => f === 'deliver');
    expect(delivered).toHaveLength(3);
    expect(delivered[0]).toMatchObject({
      ...{ type: 'ok', process: 'cekal@SU00030', subscription: 'sub_1', id: '1', position: 'imigrasi.cegah/0/1' },
      ...{ webhookId: 'msg_1', status: 204 },
    });
  });

  it('takes nothing with another signature, refuses what its system cannot take, and is not there while its server is down', async () => {
    const { webhooks, follower, got, send, lines } = await stage();
    expect(await send(event('1'), 'msg_1', newSecret())).toBe(401);
    follower.refuses = ({ id }) => (id === '1' ? 422 : undefined);
    expect(await send(event('1'))).toBe(422);
    expect(lines().filter(({ f }) => f === 'deliver')).toMatchObject([{ type: 'fail', status: 422 }]);
    const { url } = follower.receiver;
    await follower.receiver.down();
    await expect(send(event('2'))).rejects.toThrow();
    await follower.receiver.up();
    expect(follower.receiver.url).toBe(url);
    const sent = send(event('2'));
    await until(() => got.length === 1);
    webhooks.handled('SU00030', event('2'));
    expect(await sent).toBe(204);
  });
});
