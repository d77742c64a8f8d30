import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const finding = (kind: string, expected: string, seen: string, more: object = {}) => ({
  ...{ id: kind, kind, unit: 'SU00312', system: 'sdp', stream: 'pas.hunian', type: null },
  ...{ since: '2021-07-15T03:00:00.000Z', until: null, expected, seen, ...more },
});
const FINDINGS = [
  finding('silent', '2021-07-15T03:00:00.000Z', '', { system: null, type: 'pas.hunian.dilaporkan' }),
  finding('silent', '2021-07-15T03:00:00.000Z', '2021-07-14T01:00:00.000Z', { type: 'pas.hunian.dilaporkan' }),
  finding('gap', '5-7', '12', { until: '2021-07-15T04:00:00.000Z' }),
  finding('skew', '2021-07-15T03:00:00.000Z', '2021-07-15T03:09:00.000Z'),
  finding('storm', '10', '480'),
];

let hub: Awaited<ReturnType<typeof scriptedHub>>;
afterEach(async () => {
  jest.restoreAllMocks();
  await hub.close();
});

async function watch(findings: readonly object[], lang: string, ...args: string[]) {
  hub = await scriptedHub(() => ({ status: 200, body: { findings, next: null } }));
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--url', hub.url, '--key', 'k', '--lang', lang, 'watch', 'ls', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}
const sentences = (out: string): (string | undefined)[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t').at(-1));

describe('simpul watch ls', () => {
  it('says each finding in one sentence, in either language', async () => {
    const english = await watch(FINDINGS, 'en');
    expect(english.code).toBe(EXIT.ok);
    expect(english.out.split('\n')[2]).toMatch(
      /^2021-07-15T03:00:00\.000Z\t2021-07-15T04:00:00\.000Z\tgap\tSU00312\tsdp\tpas\.hunian\t/,
    );
    expect(sentences(english.out)).toEqual([
      'sent no pas.hunian.dilaporkan by 2021-07-15T03:00:00.000Z, and never before',
      'sent no pas.hunian.dilaporkan by 2021-07-15T03:00:00.000Z; its last report was 2021-07-14T01:00:00.000Z',
      'the numbers 5-7 have not come; the highest is 12',
      'the clock of the system said 2021-07-15T03:09:00.000Z at 2021-07-15T03:00:00.000Z',
      '480 resends in one minute; usual are at most 10',
    ]);
    await hub.close();
    expect(sentences((await watch(FINDINGS, 'id')).out)[4]).toBe(
      '480 kiriman ulang dalam satu menit; biasanya paling banyak 10',
    );
  });

  it('asks for what the filters say, and gives every field as JSON', async () => {
    const filters = ['--kind', 'gap', '--unit', 'SU00312', '--stream', 'pas.hunian', '--state', 'all'];
    const { out } = await watch(FINDINGS, 'id', ...filters, '--json', '-n', '7');
    expect(JSON.parse(out)).toEqual(FINDINGS);
    expect(Object.fromEntries(hub.requests[0]!.query)).toEqual({
      ...{ kind: 'gap', unit: 'SU00312', stream: 'pas.hunian', state: 'all', limit: '7' },
    });
    for (const wrong of [
      ['--kind', 'lain'],
      ['--state', 'x'],
      ['-n', '0'],
    ]) {
      await hub.close();
      expect((await watch([], 'id', ...wrong)).code).toBe(EXIT.usage);
      expect(hub.requests).toEqual([]);
    }
  });

  it('of nothing says so', async () => {
    const { code, out, err } = await watch([], 'id');
    expect([code, out, err]).toEqual([EXIT.nothing, '', '! tidak ada temuan\n']);
  });
});
