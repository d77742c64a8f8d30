import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ReadEvent } from '#sdk';
import {
  createConsumer,
  onEvent,
  type Consumer,
  type DeadLetter,
  type HandlerContext,
  type HandlerOptions,
} from '../index.js';
import type { Fate, Published, SourceHarness, SourceSuiteOptions } from './harness.js';

export type { ChildSource, Published, SourceHarness, SourceSuiteOptions } from './harness.js';

let serial = 0;
/** What a consumer of the running case has ended with. */
let fault: unknown;
const newGroup = (): string => `suite-${process.pid}-${++serial}`;

async function until(
  condition: () => boolean,
  what: () => string = () => 'the condition did not come true',
): Promise<void> {
  for (const end = Date.now() + 45_000; !condition();) {
    if (fault !== undefined) throw fault;
    if (Date.now() > end) throw new Error(what());
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** What must hold of the first time that each event was handled: the order of its subject. */
function misordered(seen: readonly string[], published: readonly Published[]): string[] {
  const first = new Map([...new Set(seen)].map((id, at) => [id, at]));
  const last = new Map<string, { id: string; at: number }>();
  const problems: string[] = [];
  for (const { id, subject } of published) {
    const at = first.get(id);
    if (at === undefined) continue;
    const before = last.get(subject);
    if (before !== undefined && before.at > at) problems.push(`${id} before ${before.id}`);
    last.set(subject, { id, at });
  }
  return problems;
}

/** Every source of events passes this suite. The Jest project and its time-outs are those of the spec that calls it. */
export function describeSource(
  name: string,
  open: () => Promise<SourceHarness>,
  options: SourceSuiteOptions = {},
): void {
  const campaign = process.env['SIMPUL_TEST_CAMPAIGN'] !== undefined;
  const { kills = campaign ? 100 : 4, slowMs = 1_000, keepsAccount = false } = options;

  describe(`${name} as a source of events`, () => {
    let harness: SourceHarness;
    const running: { consumer: Consumer; ended: Promise<unknown> }[] = [];
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness.close());
    afterEach(async () => {
      fault = undefined;
      for (const { consumer, ended } of running.splice(0)) {
        await consumer.stop();
        await ended;
      }
    });

    function consume(
      group: string,
      handle: (event: ReadEvent, context: HandlerContext) => unknown,
      handler: HandlerOptions = {},
      letters: DeadLetter[] = [],
    ) {
      const consumer = createConsumer({
        source: harness.open(group),
        group,
        stopMs: 5_000,
        placeMs: 20,
        handlers: [onEvent(harness.token, handle as never, { backoffMs: 1, ...handler })],
        deadLetters: { write: async (letter) => void letters.push(letter) },
      });
      const ended = consumer.run().then(
        () => undefined,
        (cause: unknown) => (fault = cause),
      );
      const member = { consumer, ended };
      running.push(member);
      return member;
    }
    /** Handles what comes until all of `wanted` were seen; other events of the stream are left out. */
    function seeing(wanted: readonly Published[]) {
      const ids = new Set(wanted.map((e) => e.id));
      const seen: string[] = [];
      return {
        seen,
        see: (id: string): boolean => (ids.has(id) ? (seen.push(id), true) : false),
        all: () =>
          until(
            () => new Set(seen).size === ids.size,
            () => `${new Set(seen).size} of ${ids.size} events came`,
          ),
      };
    }

    it('gives every event, in the order of its subject, and different subjects side by side', async () => {
      const wanted = await harness.publish(300, 12);
      const { seen, see, all } = seeing(wanted);
      let working = 0;
      let most = 0;
      const now = new Set<string>();
      const clashes: string[] = [];
      consume(
        newGroup(),
        async ({ id, subject }) => {
          if (now.has(subject)) clashes.push(id);
          now.add(subject);
          most = Math.max(most, ++working);
          await new Promise(setImmediate);
          working--;
          now.delete(subject);
          see(id);
        },
        { concurrency: 6 },
      );
      await all();
      expect([clashes, misordered(seen, wanted)]).toEqual([[], []]);
      expect(most).toBeGreaterThan(1);
      expect(seen).toHaveLength(300);
    });

    it('goes on after a stop in the middle: nothing is skipped, nothing that has ended comes again', async () => {
      const wanted = await harness.publish(200, 10);
      const { seen, see, all } = seeing(wanted);
      const group = newGroup();
      const first = consume(group, async ({ id }) => {
        await new Promise((done) => setTimeout(done, 2));
        see(id);
      });
      await until(() => seen.length >= 60);
      await first.consumer.stop();
      expect(await first.ended).toBeUndefined();
      const stopped = seen.length;
      consume(group, ({ id }) => void see(id));
      await all();
      expect(misordered(seen, wanted)).toEqual([]);
      expect([stopped < 200, seen.length]).toEqual([true, 200]);
    });

    it('gives up a poison event alone, and its subject goes on', async () => {
      const wanted = await harness.publish(40, 4);
      const poison = wanted[13]!.id;
      const { seen, see, all } = seeing(wanted.filter((e) => e.id !== poison));
      const letters: DeadLetter[] = [];
      consume(
        newGroup(),
        ({ id }) => {
          if (id === poison) throw new Error('poison');
          see(id);
        },
        { attempts: 2, then: 'dead-letter' },
        letters,
      );
      await all();
      await until(() => letters.length > 0);
      expect(letters.map((l) => [l.event.id, l.attempts])).toEqual([[poison, 2]]);
      expect(misordered(seen, wanted)).toEqual([]);
    });

    it('waits for a slow handler, and gives its event once', async () => {
      const wanted = await harness.publish(30, 3);
      const { seen, see, all } = seeing(wanted);
      const slow = wanted[4]!.id;
      consume(newGroup(), async ({ id }) => {
        if (id === slow) await new Promise((done) => setTimeout(done, slowMs));
        see(id);
      });
      await all();
      expect(misordered(seen, wanted)).toEqual([]);
      expect(seen).toHaveLength(30);
    });

    it(
      `skips nothing, keeps the order per subject, and repeats only what was in work, over ${kills} kills (SIGKILL)`,
      async () => {
        const wanted = await harness.publish(60 * kills, 20);
        const { all, see, seen } = seeing(wanted);
        const dir = mkdtempSync(join(tmpdir(), 'simpul-source-'));
        const group = newGroup();
        const again: string[] = [];
        const disorder: string[] = [];
        const stored = new Set<string>();
        /** Named by a place whose write began: a kill may come after it and before the line about it. */
        const named = new Set<string>();
        const random = (): number => 5 + Math.random() * 150;
        let child: ReturnType<typeof run> | undefined;
        try {
          for (let life = 0; life <= kills; life++) {
            const file = join(dir, `${life}`);
            writeFileSync(file, '');
            child = run(harness, group, file);
            const closed = once(child, 'close') as Promise<[number | null, string | null]>;
            const last = life === kills;
            const more = (): number => readFileSync(file, 'utf8').split('\ne ').length - 1;
            const left = wanted.filter((e) => !seen.includes(e.id)).length;
            if (last) {
              await until(
                () => {
                  const ids = new Set(lines(file, 'e').map(([id]) => id));
                  // What was handled and not stored may come again: nobody waits for it.
                  const known = (id: string): boolean => named.has(id) || (keepsAccount && seen.includes(id));
                  return lines(file, 'r').length > 0 && wanted.every(({ id }) => ids.has(id) || known(id));
                },
                () => `${file}: the last life does not come to the end`,
              );
              child.kill('SIGTERM');
            } else {
              await Promise.race([until(() => more() >= Math.min(3, left)), closed]);
              await new Promise((done) => setTimeout(done, random()));
              child.kill('SIGKILL');
            }
            const [code, signal] = await closed;
            expect(last ? code : signal).toBe(last ? 0 : 'SIGKILL');
            const begun = lines(file, 'b').map(([id]) => id!);
            for (const id of begun) if (stored.has(id)) again.push(`${id} in life ${life}`);
            disorder.push(...misordered(begun, wanted).map((what) => `${what} in life ${life}`));
            const ends = lines(file, 'e');
            for (const [id] of ends) see(id!);
            const feeds = Map.groupBy(ends, ([, feed]) => feed!);
            const upTo = (kind: string, ids: Set<string>): void => {
              for (const [feed, n] of lines(file, kind))
                for (const [id] of (feeds.get(feed!) ?? []).slice(0, Number(n))) ids.add(id!);
            };
            upTo('c', stored);
            upTo('p', named);
          }
          await all();
          expect([again, disorder, misordered(seen, wanted)]).toEqual([[], [], []]);
          // What no place names comes again until one does.
          if (!keepsAccount) expect(wanted.filter(({ id }) => !named.has(id))).toEqual([]);
        } finally {
          child?.kill('SIGKILL');
          rmSync(dir, { recursive: true, force: true });
        }
      },
      60_000 + kills * 12_000,
    );

    it.each<[Fate, number, string[]]>([
      ['exits', 0, []],
      ['hangs', 1, ['handler_hangs']],
    ])(
      'gives an event again whose handler %s, after the restart and before its followers; nothing is skipped',
      async (how, exitCode, faults) => {
        const wanted = await harness.publish(60, 6);
        const { all, see, seen } = seeing(wanted);
        const { id, subject } = wanted[20]!;
        const followers = new Set(wanted.filter((e, at) => at > 20 && e.subject === subject).map((e) => e.id));
        const dir = mkdtempSync(join(tmpdir(), 'simpul-source-'));
        const group = newGroup();
        const children: ChildProcess[] = [];
        const life = (n: number, fate?: { id: string; how: Fate }) => {
          const file = join(dir, `${n}`);
          writeFileSync(file, '');
          const child = run(harness, group, file, fate);
          children.push(child);
          const ids = (kind: string) => lines(file, kind).map(([first]) => first!);
          return { child, ids, closed: once(child, 'close') as Promise<[number | null]> };
        };
        try {
          const first = life(0, { id, how });
          const [code] = await first.closed;
          expect([code, first.ids('f')]).toEqual([exitCode, faults]);
          expect(first.ids('b')).toContain(id);
          expect(first.ids('e')).not.toContain(id);
          expect(first.ids('b').filter((begun) => followers.has(begun))).toEqual([]);
          const second = life(1);
          await until(
            () => {
              const ended = new Set([...first.ids('e'), ...second.ids('e')]);
              return wanted.every((e) => ended.has(e.id));
            },
            () => `the second life has ended ${second.ids('e').length} events`,
          );
          second.child.kill('SIGTERM');
          expect((await second.closed)[0]).toBe(0);
          for (const ended of [...first.ids('e'), ...second.ids('e')]) see(ended);
          await all();
          expect(second.ids('e')).toContain(id);
          expect(misordered(seen, wanted)).toEqual([]);
        } finally {
          for (const child of children) child.kill('SIGKILL');
          rmSync(dir, { recursive: true, force: true });
        }
      },
      90_000,
    );

    if (options.rebalances === true)
      it('shares its feeds among three members that come and go: nothing is skipped, the order per subject holds', async () => {
        const wanted = await harness.publish(600, 24);
        const { seen, see, all } = seeing(wanted);
        const group = newGroup();
        const handle = async ({ id }: ReadEvent): Promise<void> => {
          await new Promise((done) => setTimeout(done, 2));
          see(id);
        };
        const members = [consume(group, handle, { concurrency: 2 })];
        await until(() => seen.length >= 50);
        members.push(consume(group, handle, { concurrency: 2 }), consume(group, handle, { concurrency: 2 }));
        await until(() => seen.length >= 250);
        await members[0]!.consumer.stop();
        await all();
        expect(misordered(seen, wanted)).toEqual([]);
        for (const { ended, consumer } of members) {
          await consumer.stop();
          expect(await ended).toBeUndefined();
        }
      });

    if (options.expires === true)
      it('says that events are missing when retention has removed them behind its place, and does not jump', async () => {
        const before = await harness.publish(20, 2);
        const { see, all } = seeing(before);
        const group = newGroup();
        const first = consume(group, ({ id }) => void see(id));
        await all();
        await first.consumer.stop();
        await harness.publish(40, 2);
        await harness.expire!();
        const second = consume(group, () => undefined);
        expect(await second.ended).toMatchObject({ code: harness.gapCode ?? 'events_missing' });
      });
  });
}

const lines = (file: string, kind: string): string[][] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith(`${kind} `))
    .map((line) => line.slice(2).split(' '));

function run(
  { child, token }: SourceHarness,
  group: string,
  file: string,
  fate?: { readonly id: string; readonly how: Fate },
) {
  const order = JSON.stringify({ ...child, group, token, file, fate });
  const process_ = spawn(
    process.execPath,
    [
      '--conditions=simpul-source',
      '--experimental-transform-types',
      '--disable-warning=ExperimentalWarning',
      '--import',
      new URL('../../log/conformance/sources.mjs', import.meta.url).href,
      new URL('./child.ts', import.meta.url).pathname,
      order,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env['PATH'] ?? '' } },
  );
  return process_;
}
