import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Command } from 'commander';
import { FOREIGN, giveForeign } from '../../../test/kit/foreign-answers.js';
import { scriptedHub, type Script } from '../../../test/kit/scripted-hub.js';
import { buildProgram } from './program.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const dir = mkdtempSync(join(tmpdir(), 'simpul-cli-'));
const file = join(dir, 'event.json');
const source = 'urn:simpul:unit:SU00518:sdp';
beforeAll(() => writeFileSync(file, JSON.stringify({ specversion: '1.0', id: 'a', source, type: 't', data: {} })));
afterAll(() => rmSync(dir, { recursive: true }));

let hub: Awaited<ReturnType<typeof scriptedHub>> | undefined;
afterEach(async () => {
  jest.restoreAllMocks();
  await hub?.close();
});

async function runAgainst(script: Script, args: readonly string[]) {
  hub = await scriptedHub(script);
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--url', hub.url, '--key', 'k', '--lang', 'en', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}

const receipt = { id: 'a', source, type: 't', position: 's/0/1', duplicate: false };
const entry = { view: 'v', key: 'K', value: {}, position: 's/0/1', updatedtime: 't', stale: false };
const event = { ...receipt, specversion: '1.0', data: {} };
const unit = { id: 'SU00518', code: 'LAPAS-1', name: 'n', type: 'lapas' };
const key = { id: 'abc', key: 'text', unit: 'SU00518', system: 'sistem', roles: [] };
/** Contract, sample, owner of the key, dry run and receipt in one: each request of the command gets it. */
const triggered = {
  type: 't',
  schema: { type: 'record', name: 'x', fields: [] },
  ...{ keyId: 'k', unit: 'SU00518', system: 's', roles: ['publisher'] },
  ...{ id: 'a', source, data: {}, problems: [], test: true, position: '_simpul.test/0/1' },
};
const sub = `sub_${'a'.repeat(20)}`;
const subscription = {
  ...{ id: sub, name: 'n', owner: 'SU00518', status: 'active', version: 1, target: { kind: 'pull' } },
  lag: { events: 1, seconds: 1 },
};
const elsewhere = { ...subscription, id: `sub_${'b'.repeat(20)}` };
const letter = { id: 'd', subject: 's', position: 's/0/1', cause: 'c' };
/** Every command that asks the hub: its arguments, what the hub answers, and answers of the right form that are about something else. */
const COMMANDS: Readonly<Record<string, readonly [args: readonly string[], good: object, ...other: object[]]>> = {
  publish: [
    [file],
    receipt,
    { ...receipt, id: 'b' },
    { ...receipt, position: '9' },
    { receipts: [receipt, receipt] },
    { results: [{ status: 201, receipt: { ...receipt, source: 'x' } }] },
  ],
  'publish --dry-run': [[file, '--dry-run'], { type: 't', problems: [] }, receipt],
  'publish --partial': [[file, '--partial'], { results: [{ status: 201, receipt }] }, { results: [] }],
  'stream ls': [[], { streams: [{ name: 's' }], next: null }, { streams: ['s'] }],
  'stream tail': [['s'], { events: [event], next: 'c' }, { events: [{ ...event, position: 't/0/1' }], next: 'c' }],
  'stream retention': [['s', '30'], { stream: 's', days: 30 }, { stream: 't', days: 30 }],
  event: [['s/0/1'], event, { ...event, position: 's/0/2' }],
  receipt: [[source, 'a'], receipt, { ...receipt, id: 'b' }],
  'state get': [['v', 'K'], entry, { ...entry, key: 'OTHER' }, { ...entry, view: 'w' }],
  'state ls': [['v'], { entries: [entry], next: null }, { entries: [{}] }],
  'view ls': [[], { views: [{ view: 'v' }], next: null }, { views: [{}] }],
  'view rebuild': [['v'], { view: 'v', serving: 1 }, { view: 'w', serving: 1 }],
  'unit ls': [[], { units: [unit], next: null }, { units: [{}] }],
  'unit get': [['SU00518'], unit, { status: 'UP' }],
  'unit resolve': [['--function', 'lapas'], { units: [unit], next: null }, { units: [{}] }],
  'type ls': [[], { types: [{ type: 't', stream: 's' }], next: null }, { types: [{}] }],
  'type get': [['t'], { type: 't', fields: [] }, { type: 'u', fields: [] }],
  'type sample': [['t'], { type: 't', data: {} }, { type: 'u', data: {} }],
  'key create': [['SU00518'], key, { ...key, unit: 'SU00001' }],
  'key create --all': [['--all', 'lapas', '--out', join(dir, 'keys.csv')], { keys: [key] }, { keys: [{}] }],
  'key ls': [[], { keys: [key], next: null }, { keys: [{}] }],
  'key revoke': [['abc'], { ...key, revokedAt: 't' }, { ...key, id: 'abd', revokedAt: 't' }, key],
  'key pending': [[], { keys: [{ ...key, wish: { until: 't' } }], next: null }, { keys: [{}] }],
  'key approve': [
    ['abc'],
    { ...key, state: 'valid' },
    { ...key, id: 'abd', state: 'valid' },
    { ...key, state: 'pending' },
  ],
  'key refuse': [['abc'], { ...key, state: 'refused' }, { ...key, id: 'abd', state: 'refused' }, key],
  audit: [
    [],
    { records: [{ at: 't', what: 'key.use', phase: 'done' }], next: 'c', end: true },
    { records: [{}], next: 'c', end: true },
    { records: [{ at: 't', what: 'key.use', phase: 'done' }], next: null },
  ],
  refusals: [[], { refusals: [{ minute: 'm', unit: 'u', code: 'c' }], next: null }, { refusals: [{}] }],
  'dead ls': [['su00123.a'], { letters: [{ position: 's/0/1', recordedtime: 't' }], next: null }, { letters: [{}] }],
  conflicts: [
    [],
    { conflicts: [{ view: 'v', position: 's/0/1', reason: 'not_owner' }], next: null },
    { conflicts: [{}] },
  ],
  'conflicts accept': [
    ['s/0/1', '--why', 'x'],
    { position: 's/0/1', accepted: 's/0/9' },
    { position: 's/0/2', accepted: 's/0/9' },
  ],
  'sub ls': [[], { ...subscription, subscriptions: [subscription], next: null }, { subscriptions: [{}] }],
  'sub show': [[sub], subscription, elsewhere],
  'sub lag': [[sub], subscription, elsewhere],
  'sub create': [['n', '--types', 't', '--pull'], subscription, { ...subscription, name: 'm' }],
  'sub create --dry-run': [['n', '--pull', '--dry-run'], { matched: 1, examples: [] }, subscription],
  'sub edit': [[sub, '--types', 't'], subscription, elsewhere],
  'sub pause': [[sub, '--why', 'x'], subscription, elsewhere],
  'sub resume': [[sub], subscription, elsewhere],
  'sub seek': [[sub, 'end'], { events: 1, again: 1, passedOver: 0, streams: {} }, { streams: {} }],
  'sub rotate-secret': [[sub], { secret: 's', previousValidUntil: 't' }, { secret: 's' }],
  'sub rm': [[sub], { id: sub, status: 'removed' }, { ...elsewhere, status: 'removed' }, subscription],
  'watch ls': [
    [],
    {
      findings: [
        {
          id: 'f',
          kind: 'gap',
          unit: 'SU00123',
          stream: 's',
          since: '2021-07-15T00:00:00.000Z',
          expected: '1',
          seen: '2',
        },
      ],
      next: null,
    },
    { findings: [{}] },
  ],
  'dlq ls': [[sub], { deadLetters: [letter], next: null }, { deadLetters: [{}] }],
  'dlq show': [[sub, 'd'], { deadLetters: [letter], deliveries: [], next: null }, { deadLetters: [{}] }],
  'dlq redrive': [[sub, 'd', '--why', 'x'], { count: 1, job: 'j' }, { job: 'j' }],
  'dlq jobs': [
    [sub],
    { redrives: [{ job: 'j', state: 'done', done: 1, failed: 0, left: 0 }], next: null },
    { redrives: [{}] },
  ],
  'dlq skip': [[sub, 'd', '--why', 'x'], { skipped: 1 }, { count: 1 }],
  trigger: [
    ['t'],
    triggered,
    { ...triggered, type: 'u' },
    { ...triggered, roles: 'x' },
    { ...triggered, position: '9' },
  ],
  doctor: [[], { status: 'ready', doors: [] }, { status: 'ok', doors: [] }],
};
const json = { 'content-type': 'application/json' };
const argsOf = (name: string): readonly string[] => [
  ...name.split(' ').filter((word) => !word.startsWith('--')),
  ...COMMANDS[name]![0],
];

describe("every command takes only the hub's answers", () => {
  it('the table of this spec has every command that asks the hub', () => {
    const leaves = (c: Command, path: readonly string[]): string[] =>
      c.commands.length === 0 ? [path.join(' ')] : c.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]));
    const local = ['up', 'backup', 'restore', 'verify', 'key reset-admin', 'cheat', 'completion', '__complete'];
    // Answers without an end, and answers of several doors: loop.int.spec.ts, init.e2e.spec.ts, type-gen.int.spec.ts.
    local.push('listen', 'init', 'type gen', ...['add', 'use', 'ls', 'env', 'rm'].map((name) => `ctx ${name}`));
    const asking = leaves(
      buildProgram(Object.assign(() => Promise.resolve(), { local: () => Promise.resolve() })),
      [],
    ).filter((name) => !local.includes(name));
    expect(asking.filter((name) => !(name in COMMANDS))).toEqual([]);
  });

  it.each(Object.keys(COMMANDS))('%s ends with 0 after the answer of the hub', async (name) => {
    const good = COMMANDS[name]![1];
    let n = 0;
    const script: Script = () => ({
      status: 200,
      body: n++ === 0 || !('events' in good) ? good : { ...good, events: [] },
    });
    const ran = await runAgainst(script, argsOf(name));
    expect(ran).toMatchObject({ code: EXIT.ok });
    expect(ran.out + ran.err).not.toBe('');
    rmSync(join(dir, 'keys.csv'), { force: true });
  });

  it.each(Object.keys(COMMANDS))('%s ends with 6, and prints nothing as done, after any other answer', async (name) => {
    const [, good, ...other] = COMMANDS[name]!;
    const answers: [string, (typeof FOREIGN)[number][1]][] = [
      ...FOREIGN.map(([what, answer]): [string, typeof answer] => [what, answer]),
      ...other.map((body): [string, { status: number; body: object }] => [JSON.stringify(body), { status: 200, body }]),
      ['the answer of the hub, with 404', { status: 404, body: good, headers: json }],
      ['the answer of the hub, with 403', { status: 403, body: good, headers: json }],
    ];
    const ends: unknown[] = [];
    for (const [what, answer] of answers) {
      const { code, out, err } = await runAgainst(({ res }) => giveForeign(answer, res), argsOf(name));
      await hub!.close();
      ends.push([what, code, out, /not the hub answers/.test(err)]);
    }
    expect(ends).toEqual(answers.map(([what]) => [what, EXIT.unreachable, '', true]));
  });

  it('doctor prints what a hub says that is not ready, and ends with 1', async () => {
    const status = { status: 'starting', doors: [] };
    const ran = await runAgainst(() => ({ status: 503, body: status, headers: json }), ['doctor']);
    expect([ran.code, JSON.parse(ran.out)]).toEqual([EXIT.failed, status]);
  });

  it('state ls reads on over empty pages to the end of the list', async () => {
    const pages: Record<string, object> = {
      first: { entries: [], next: 'a', incomplete: true },
      a: { entries: [], next: 'b', incomplete: true },
      b: { entries: [entry], next: null },
    };
    const script: Script = (r) => ({ status: 200, body: pages[r.query.get('cursor') ?? 'first'] });
    const ran = await runAgainst(script, ['-o', 'jsonl', 'state', 'ls', 'v', 'unit=SU00066']);
    expect([ran.code, ran.out]).toEqual([EXIT.ok, `${JSON.stringify(entry)}\n`]);
    expect(hub!.requests.map((r) => r.query.get('unit'))).toEqual(['SU00066', 'SU00066', 'SU00066']);
  });
});
