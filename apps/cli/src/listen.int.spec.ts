import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DeliveryStage, PASSPORTS, type Body } from '../../../test/kit/deliveries/stage.js';
import { until } from '../../../test/kit/projection/stage.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

let hub: DeliveryStage;
let out = '';
let err = '';
const before = { ...process.env };
beforeAll(async () => {
  for (const name of ['SIMPUL_URL', 'SIMPUL_KEY', 'SIMPUL_CTX']) delete process.env[name];
  hub = await DeliveryStage.open('embedded');
}, 60_000);
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(async () => {
  process.env = before;
  await hub[Symbol.asyncDispose]();
}, 60_000);

/** `simpul listen`, once it listens or has ended. */
async function listening(...args: string[]): Promise<{ readonly ends: Promise<number> }> {
  out = err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const ends = runCommand(['--url', hub.url, '--key', await hub.key(), '--lang', 'en', 'listen', ...args]);
  let over = false;
  void ends.finally(() => (over = true));
  await until(async () => over || err.includes('listening to'));
  return { ends };
}
const subscriptions = async (): Promise<readonly Body[]> =>
  (await hub.ask('GET', '/v1/subscriptions')).body['subscriptions'] as Body[];
const ids = (): unknown[] =>
  out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as Body)['id'] as unknown);

describe('simpul listen with a key that reads', () => {
  it('stands on a temporary subscription that is seen while it runs, and removed when it has ended', async () => {
    const { ends } = await listening('imigrasi.paspor', '-n', '2');
    const [one, ...more] = await subscriptions();
    expect([one, more]).toEqual([
      expect.objectContaining({
        name: expect.stringMatching(/^listen-/),
        ...{ types: ['imigrasi.paspor.#'], temporary: true, target: { kind: 'sse' } },
      }),
      [],
    ]);
    const published = await hub.publish([1, 2]);
    expect([await ends, ids().sort()]).toEqual([EXIT.ok, published.map(({ id }) => id)]);
    expect(await subscriptions()).toEqual([]);
  });

  it('has one for facts and one for test events; from a place it begins there', async () => {
    const [fact] = await hub.publish([3]);
    const { ends } = await listening(PASSPORTS, '--test', '--from', fact!.position, '-n', '2');
    expect((await subscriptions()).map(({ test }) => test as boolean).sort()).toEqual([false, true]);
    const [tried] = await hub.publish([3], { simpultest: true });
    expect([await ends, ids().sort()]).toEqual([EXIT.ok, [fact!.id, tried!.id].sort()]);
    expect(await subscriptions()).toEqual([]);
  });

  it('ends when another connection takes its subscription over', async () => {
    const { ends } = await listening(PASSPORTS);
    const [one] = await subscriptions();
    const headers = { authorization: `Bearer ${await hub.key()}` };
    const other = await fetch(`${hub.url}/v1/subscriptions/${one!['id'] as string}/live`, { headers });
    expect(await ends).toBe(EXIT.ok);
    await other.body!.cancel();
    expect(await subscriptions()).toEqual([]);
  });

  it('reads the streams without a subscription when it is told to', async () => {
    const { ends } = await listening(PASSPORTS, '--streams', '-n', '1');
    expect(await subscriptions()).toEqual([]);
    const [event] = await hub.publish([4]);
    expect([await ends, ids()]).toEqual([EXIT.ok, [event!.id]]);
  });

  it('says how to do without one where there is no room for another', async () => {
    const small = await DeliveryStage.open('embedded', { SIMPUL_SUBSCRIPTIONS_PER_UNIT: '1' });
    const main = hub;
    try {
      hub = small;
      await hub.ask('POST', '/v1/subscriptions', { name: 'satu', types: [PASSPORTS], target: { kind: 'pull' } });
      const { ends } = await listening(PASSPORTS);
      expect([await ends, err]).toEqual([EXIT.failed, expect.stringContaining('simpul listen --streams')]);
    } finally {
      hub = main;
      await small[Symbol.asyncDispose]();
    }
  });
});
