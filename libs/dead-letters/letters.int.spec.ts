import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { openKafkaLog } from '#log-kafka';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noKafka, testKafka, type TestKafka } from '../../test/kit/kafka.js';
import { DEAD_TOPICS, DeadLetterBoxes, MAX_GROUPS, MAX_LETTERS, ownerOfGroup, type Letter } from './index.js';

const DAY = 86_400_000;
const T0 = Date.parse('2026-01-01T00:00:00Z');
let now = T0;
let serial = 0;
const newGroup = (unit = `su${++serial}`): string => `${unit}.loket-${++serial}`;

const letter = (position: string, more: Partial<Letter> = {}): Letter => ({
  position,
  type: 'imigrasi.paspor.diterbitkan',
  cause: { code: 'uji', message: 'tidak terbaca' },
  attempts: 3,
  lasttime: '2026-01-01T00:00:00Z',
  recordedtime: new Date(now).toISOString(),
  system: 'simkim',
  ...more,
});

/** `many`: groups of one process; a topic of Kafka takes 0.1 s to make. */
function promises(open: () => Promise<EventLog>, many: number): void {
  let log: EventLog;
  const opened: DeadLetterBoxes[] = [];
  const boxes = (over: Partial<EventLog> = {}, held?: number): DeadLetterBoxes => {
    const part = new Proxy(log, {
      get: (target, name) => {
        const own = (over as Record<PropertyKey, unknown>)[name];
        if (own !== undefined) return own;
        const value = (target as unknown as Record<PropertyKey, unknown>)[name];
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    const made = new DeadLetterBoxes({ log: part, now: () => now, ...(held === undefined ? {} : { held }) });
    opened.push(made);
    return made;
  };

  beforeAll(async () => {
    log = await open();
  });
  beforeEach(() => {
    now = T0;
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });
  afterAll(() => log.close());

  it('a letter is answered only after the append of the log is acknowledged', async () => {
    const group = newGroup();
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const slow = boxes({
      append: async (...args) => {
        asked.resolve();
        await held.promise;
        return log.append(...args);
      },
    });
    const seen: string[] = [];
    const adding = slow.add(group, letter('a.b/0/1')).then((r) => (seen.push('answered'), r));
    // Also where the append comes never, or is let go only here: a wrong order is a red line and no time-out.
    try {
      await Promise.race([asked.promise.then(() => seen.push('append')), adding]);
      expect(await slow.list(group)).toEqual([]);
      expect(seen).toEqual(['append']);
    } finally {
      held.resolve();
    }
    expect(await adding).toEqual({ letter: letter('a.b/0/1'), repeated: false });
    expect(await boxes().list(group)).toEqual([letter('a.b/0/1')]);
  });

  it.each([
    ['refused', { kind: 'refused', code: 'log_unavailable' }, 'log_unavailable'],
    ['refused by a full disk', { kind: 'refused', code: 'disk_full' }, 'disk_full'],
    ['uncertain', { kind: 'uncertain' }, 'not_durable'],
  ] as const)('an append that is %s is a fault: nothing is shown, and the letter can be sent again', async (...row) => {
    const [, outcome, code] = row;
    const group = newGroup();
    let fails = true;
    const failing = boxes({ append: async (...args) => (fails ? outcome : log.append(...args)) });
    await expect(failing.add(group, letter('a.b/0/1'))).rejects.toMatchObject({ code });
    expect(await failing.list(group)).toEqual([]);
    expect(await boxes().list(group)).toEqual([]);
    fails = false;
    expect(await failing.add(group, letter('a.b/0/1'))).toMatchObject({ repeated: false });
  });

  it('a letter that was written although its append was uncertain is the first one: the repeat answers it', async () => {
    const group = newGroup();
    const first = boxes({ append: async (...args) => (await log.append(...args), { kind: 'uncertain' as const }) });
    await expect(first.add(group, letter('a.b/0/1'))).rejects.toMatchObject({ code: 'not_durable' });
    now += 1_000;
    const again = await first.add(group, letter('a.b/0/1', { attempts: 9 }));
    expect(again).toMatchObject({ repeated: true, letter: { attempts: 3 } });
    expect(await first.list(group)).toHaveLength(1);
  });

  it('letters that come while others are written share the next append: the first goes alone, and each answer is its own', async () => {
    const group = newGroup();
    const appends: number[] = [];
    const one = boxes({
      append: (...args) => {
        if (args[0] === DEAD_TOPICS + group) appends.push(args[2].length);
        return log.append(...args);
      },
    });
    await one.add(group, letter('a.b/0/0'));
    const sent = [...Array.from({ length: 60 }, (_, n) => letter(`a.b/0/${n}`)), letter('a.b/0/59', { attempts: 9 })];
    const answers = await Promise.all(sent.map((l) => one.add(group, l)));
    expect(answers.map(({ letter: { position } }) => position)).toEqual(sent.map(({ position }) => position));
    expect(answers.flatMap(({ repeated }, n) => (repeated ? [n] : []))).toEqual([0, 60]);
    expect(await one.list(group)).toEqual(sent.slice(0, 60));
    expect(appends.reduce((a, b) => a + b)).toBe(60);
    expect(appends.length).toBeLessThan(5);
  });

  it('the first letter of a position counts: for repeats at once, at another gateway, and after a restart; not in another group', async () => {
    const group = newGroup();
    const [one, two] = [boxes(), boxes()];
    await two.list(group);
    const sent = Array.from({ length: 20 }, (_, n) => letter('a.b/0/1', { attempts: n + 1 }));
    const answers = await Promise.all(sent.map((l, n) => (n % 2 === 0 ? one : two).add(group, l)));
    expect(answers.filter((a) => !a.repeated)).toHaveLength(1);
    const [first] = await one.list(group);
    for (const a of answers) expect(a.letter).toEqual(first);
    await one.close();
    await two.close();
    const restarted = boxes();
    expect(await restarted.add(group, letter('a.b/0/1', { attempts: 99 }))).toEqual({ letter: first, repeated: true });
    expect(await restarted.list(group)).toEqual([first]);
    const other = `${ownerOfGroup(group)!}.lain`;
    expect(await restarted.add(other, letter('a.b/0/1', { attempts: 99 }))).toMatchObject({ repeated: false });
  });

  it('letters are listed in the order of the log, also over a restart; a group that nobody has used has none and makes no topic', async () => {
    const group = newGroup();
    const one = boxes();
    for (const n of [5, 3, 9]) await one.add(group, letter(`a.b/0/${n}`));
    const positions = ['a.b/0/5', 'a.b/0/3', 'a.b/0/9'];
    expect((await one.list(group)).map((l) => l.position)).toEqual(positions);
    expect((await boxes().list(group)).map((l) => l.position)).toEqual(positions);
    const unused = newGroup();
    expect(await one.list(unused)).toEqual([]);
    expect(await log.topics()).not.toContain(DEAD_TOPICS + unused);
  });

  it(`a unit has at most ${MAX_GROUPS} groups, also when it uses many at once; its own go on, and other units are not touched`, async () => {
    const unit = `su${++serial}`;
    const names = Array.from({ length: MAX_GROUPS + 5 }, (_, n) => `${unit}.g${n}`);
    const one = boxes();
    const answers = await Promise.allSettled(names.map((g) => one.add(g, letter('a.b/0/1'))));
    const refused = answers.filter((a) => a.status === 'rejected');
    expect(refused.map((a) => (a.reason as { code: string }).code)).toEqual(Array(5).fill('conflict'));
    expect((await log.topics()).filter((t) => t.startsWith(`${DEAD_TOPICS}${unit}.`))).toHaveLength(MAX_GROUPS);
    const used = names[answers.findIndex((a) => a.status === 'fulfilled')]!;
    expect(await one.add(used, letter('a.b/0/2'))).toMatchObject({ repeated: false });
    expect(await one.add(`${unit}9.g0`, letter('a.b/0/1'))).toMatchObject({ repeated: false });
  });

  it('a name that differs from a group of the unit only in dots and underscores is a conflict, which names that group', async () => {
    const unit = `su${++serial}`;
    const one = boxes();
    await one.add(`${unit}.a_b`, letter('a.b/0/1'));
    await expect(one.add(`${unit}.a.b`, letter('a.b/0/1'))).rejects.toMatchObject({
      code: 'conflict',
      detail: `${unit}.a_b`,
    });
  });

  it(`a group has at most ${MAX_LETTERS} letters: one more is a conflict, a repeat is answered`, async () => {
    const group = newGroup();
    const one = boxes();
    await one.add(group, letter('a.b/0/0'));
    for (let n = 1; n < MAX_LETTERS;) {
      const rows = [];
      for (; rows.length < 500 && n < MAX_LETTERS; n++)
        rows.push({ key: null, value: Buffer.from(JSON.stringify(letter(`a.b/0/${n}`))), headers: [] });
      expect((await log.append(DEAD_TOPICS + group, 0, rows)).kind).toBe('accepted');
    }
    await expect(one.add(group, letter('a.b/1/0'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await one.add(group, letter(`a.b/0/${MAX_LETTERS - 1}`))).toMatchObject({ repeated: true });
    now += 91 * DAY;
    expect(await one.add(group, letter('a.b/1/0'))).toMatchObject({ repeated: false });
  });

  it('a letter is listed for 90 days; then the position can have a new one, which a restart and other gateways keep', async () => {
    const group = newGroup();
    const [one, two] = [boxes(), boxes()];
    await one.add(group, letter('a.b/0/1'));
    now += 89 * DAY;
    expect(await two.list(group)).toHaveLength(1);
    now += 2 * DAY;
    expect(await one.list(group)).toEqual([]);
    const later = letter('a.b/0/1', { attempts: 7 });
    expect(await one.add(group, later)).toEqual({ letter: later, repeated: false });
    for (const each of [one, two, boxes()]) expect(await each.list(group)).toEqual([later]);
  });

  it('of more groups than are held in memory each answers its letters', async () => {
    const one = boxes();
    const groups = Array.from({ length: many }, () => newGroup());
    for (const g of groups) await one.add(g, letter('a.b/0/1', { type: g }));
    for (const g of groups) expect(await one.list(g)).toEqual([letter('a.b/0/1', { type: g })]);
  });

  it('groups are held as long as their letters are few together; the one that was not asked for longest is closed, and read again', async () => {
    const read: string[] = [];
    const counted = (...args: Parameters<EventLog['read']>) => {
      if (args[2] === 0n) read.push(args[0].slice(DEAD_TOPICS.length));
      return log.read(...args);
    };
    const [a, b, c] = [newGroup(), newGroup(), newGroup()];
    const writer = boxes();
    for (const g of [a, b, c]) for (let n = 0; n < 4; n++) await writer.add(g, letter(`a.b/0/${n}`));
    const one = boxes({ read: counted }, 9);
    const asked = async (g: string): Promise<boolean> => {
      const before = read.length;
      expect(await one.list(g)).toHaveLength(4);
      return read.slice(before).includes(g);
    };
    expect([await asked(a), await asked(b), await asked(a), await asked(c)]).toEqual([true, true, false, true]);
    expect([await asked(a), await asked(b), await asked(b)]).toEqual([false, true, false]);
    // What is written counts too.
    for (let n = 4; n < 6; n++) await one.add(b, letter(`a.b/0/${n}`));
    expect(await one.list(a)).toHaveLength(4);
    expect(read.at(-1)).toBe(a);
  });

  it('a new group does not wait for those that another unit tries to make, and the names of topics are asked for once for many', async () => {
    const [many, other] = [`su${++serial}`, `su${++serial}`];
    let asks = 0;
    const release = Promise.withResolvers<void>();
    const slow = boxes({
      topics: async () => (asks++, log.topics()),
      ensureTopics: async (specs) => {
        if (specs[0]!.name.includes(many)) await release.promise;
        return log.ensureTopics(specs);
      },
    });
    const tried = Array.from({ length: 40 }, (_, n) =>
      slow.add(`${many}.g${n}`, letter('a.b/0/1')).catch(() => undefined),
    );
    expect(await slow.add(`${other}.g`, letter('a.b/0/1'))).toMatchObject({ repeated: false });
    expect(asks).toBeLessThan(20);
    release.resolve();
    await Promise.all(tried);
  });

  it('a record that is no letter is left out and reported; the letters around it are listed', async () => {
    const group = newGroup();
    const one = boxes();
    await one.add(group, letter('a.b/0/1'));
    await log.append(DEAD_TOPICS + group, 0, [{ key: null, value: Buffer.from('null'), headers: [] }]);
    await one.add(group, letter('a.b/0/2'));
    const told: string[] = [];
    const reading = new DeadLetterBoxes({
      log,
      now: () => now,
      report: { unreadable: ({ topic }) => told.push(topic) },
    });
    opened.push(reading);
    expect((await reading.list(group)).map((l) => l.position)).toEqual(['a.b/0/1', 'a.b/0/2']);
    expect(told).toEqual([DEAD_TOPICS + group]);
  });
}

describe('dead letters on the embedded log', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-letters-'));
  promises(() => openEmbeddedLog({ dir }), 55);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
});

const reason = await noKafka();
if (reason === undefined)
  describe('dead letters on Kafka', () => {
    let kafka: TestKafka;
    promises(async () => {
      kafka = await testKafka();
      return openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'letters' });
    }, 3);
    afterAll(() => kafka.stop());
  });
else describe('dead letters on Kafka', () => it.skip(`skipped: ${reason}`, () => {}));

it('the owner of a group is what stands before its first dot; what is no name of a group has none', () => {
  expect(ownerOfGroup('su00123.loket.baru_1-a')).toBe('su00123');
  expect(ownerOfGroup(`su00123.${'a'.repeat(61)}`)).toBe('su00123');
  for (const bad of [
    '',
    'su00123',
    'su00123.',
    '.loket',
    'SU00123.loket',
    'su00123.Loket',
    'su00123..loket',
    'su00123._a',
    'su00123.a/b',
    'su00123.a b',
    'su00123.loket\n',
    'su00123.lokét',
    `su00123.${'a'.repeat(62)}`,
    `${'a'.repeat(46)}.a`,
  ])
    expect([bad, ownerOfGroup(bad)]).toEqual([bad, undefined]);
});
