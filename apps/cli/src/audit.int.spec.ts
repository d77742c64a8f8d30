import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const record = (n: number) => ({
  offset: String(n),
  at: `2021-07-15T00:00:0${n}Z`,
  phase: 'done',
  what: 'key.create',
  target: `K-${n}`,
  who: { owner: 'SU00013' },
});
let hub: Awaited<ReturnType<typeof scriptedHub>>;
afterEach(async () => {
  jest.restoreAllMocks();
  await hub.close();
});

/** A hub with records 0 to 9, of which only every third is shown: some of its pages are empty. */
async function audit(...args: string[]) {
  const asked: URLSearchParams[] = [];
  hub = await scriptedHub(({ query }) => {
    asked.push(query);
    const from = Number(query.get('cursor') ?? 0);
    const next = Math.min(10, from + 2);
    const records = [];
    for (let n = from; n < next; n++) if (n % 3 === 0) records.push(record(n));
    return {
      status: 200,
      body: { records: records.slice(0, Number(query.get('limit'))), next: String(next), end: next === 10 },
    };
  });
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--url', hub.url, '--key', 'k', '--lang', 'en', 'audit', ...args]);
  jest.restoreAllMocks();
  return { code, out, err, asked };
}

describe('simpul audit', () => {
  it('shows the records of all pages, also behind empty ones, and sends its conditions with each', async () => {
    const filters = [
      '--what',
      'key.',
      '--by',
      'SU00013',
      '--target',
      'K',
      '--phase',
      'done',
      '--from',
      '2021-07-15T00:00:00Z',
    ];
    const { code, out, err, asked } = await audit(...filters);
    expect([code, err]).toEqual([EXIT.ok, '']);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[3]),
    ).toEqual(['K-0', 'K-3', 'K-6', 'K-9']);
    expect(asked.length).toBeGreaterThan(1);
    for (const query of asked)
      expect(Object.fromEntries(query)).toMatchObject({
        what: 'key.',
        by: 'SU00013',
        target: 'K',
        phase: 'done',
        from: '2021-07-15T00:00:00Z',
      });
  });

  it('stops at its limit with the cursor that goes on, and gives the page as JSON', async () => {
    const { out, err } = await audit('-n', '2');
    expect([out.trim().split('\n').length, err]).toEqual([2, '… --cursor 4\n']);
    const { out: rest } = await audit('--cursor', '4', '--json');
    expect(JSON.parse(rest)).toEqual({ records: [record(6), record(9)], next: '10', end: true });
  });

  it('ends with 3 when nothing matches, and refuses a limit that is none', async () => {
    expect((await audit('--cursor', '10')).code).toBe(EXIT.nothing);
    await hub.close();
    expect((await audit('-n', 'x')).code).toBe(2);
  });
});
