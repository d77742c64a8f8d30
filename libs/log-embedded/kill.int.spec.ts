import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog, NewRecord } from '#log';
import { killsAt, runKilled, type Kill } from '../../test/kit/kills/killed.js';
import { writeFormat1 } from './format-1.fixture.js';
import { openEmbeddedLog, type EmbeddedLog } from './index.js';

const CAMPAIGN = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
/** A kill every fifth step or closer, in the campaign every third. */
const KILLS = CAMPAIGN ? 24 : 11;
/** Each kill starts processes and opens the log up to three times. */
const LIMIT_MS = CAMPAIGN ? 3_600_000 : 300_000;
const topic = 'coba.bunuh';
const control = '_simpul.coba';

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'simpul-kill-'));
  dir = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const rec = (value: string): NewRecord => ({ key: Buffer.from(value), value: Buffer.from(value), headers: [] });

async function values(log: EventLog, of: string): Promise<string[]> {
  const out: string[] = [];
  const [range] = await log.describe(of);
  for (let at = range!.low; at < range!.high;) {
    const batch = await log.read(of, 0, at);
    if (batch.kind !== 'records') throw new Error(batch.kind);
    out.push(...batch.records.map((r) => (r.damaged ? 'damaged' : `${r.offset} ${r.value!.toString()}`)));
    at = batch.next;
  }
  return out;
}

/** Opens what a kill has left: it must open at once. A log that lacks acknowledged records would not. */
async function reopened<T>(
  at: string,
  kill: Kill,
  look: (log: EmbeddedLog, migrated: number) => Promise<T>,
): Promise<T> {
  let migrated = 0;
  const report = { migrated: () => migrated++ };
  const log = await openEmbeddedLog({ dir: at, report }).catch((e: unknown) => {
    throw new Error(`killed ${kill.how} step ${kill.step}`, { cause: e });
  });
  try {
    return await look(log, migrated);
  } finally {
    await log.close();
  }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i} v${i}`);

describe('kill -9 (SIGKILL)', () => {
  it(
    'at any step of the migration of a file of format 1 leaves format 1 or format 2, both with every record at its offset',
    async () => {
      const before = join(root, 'before');
      const rows = Array.from({ length: 4 }, (_, i) => [rec(`v${i}`)]);
      const wide = Array.from({ length: 300 }, (_, i) => [rec(`v${2 * i}`), rec(`v${2 * i + 1}`)]);
      writeFormat1(before, [
        { name: topic, id: '0123abcd', cleanup: 'keep', appends: wide },
        { name: control, id: '4567cdef', cleanup: 'compact', appends: rows },
      ]);
      const migrate = `import { openEmbeddedLog } from '#log-embedded';
      arm(); const log = await openEmbeddedLog({ dir: ${JSON.stringify(dir)} }); await log.close();`;
      cpSync(before, dir, { recursive: true });
      const { steps } = await runKilled(migrate);
      const found = new Set<string>();
      for (const kill of killsAt(steps, KILLS)) {
        rmSync(dir, { recursive: true });
        cpSync(before, dir, { recursive: true });
        await runKilled(migrate, kill);
        await reopened(dir, kill, async (log, migrated) => {
          found.add(migrated === 1 ? 'format 1' : 'format 2');
          expect([kill, await values(log, topic)]).toEqual([kill, numbered(600)]);
          expect([kill, await values(log, control)]).toEqual([kill, numbered(4)]);
          expect((await log.topicId(topic)).slice(0, 8)).toBe('0123abcd');
          expect(await log.append(topic, 0, [rec('v600')])).toMatchObject({ kind: 'accepted', base: 600n });
        });
        await reopened(dir, kill, async (log, migrated) => {
          expect([migrated, (await values(log, topic)).length]).toEqual([0, 601]);
        });
      }
      expect([...found].sort()).toEqual(['format 1', 'format 2']);
    },
    LIMIT_MS,
  );

  /** Appends, tells what was acknowledged, and closes with appends in flight. The WAL is then about 8 MB. */
  const stop = (armed: 'stop' | 'idle'): string => `import { statSync, writeSync } from 'node:fs';
    import { openEmbeddedLog } from '#log-embedded';
    const dir = ${JSON.stringify(dir)};
    const log = await openEmbeddedLog({ dir });
    await log.ensureTopic({ name: '${topic}', partitions: 1, cleanup: 'keep' });
    let sent = 0;
    const append = async (count) => {
      const records = Array.from({ length: count }, () => {
        const value = Buffer.from('v' + sent++);
        return { key: value, value, headers: [['isi', Buffer.alloc(8_000)]] };
      });
      const done = await log.append('${topic}', 0, records);
      if (done.kind === 'accepted') process.stdout.write('acked ' + (Number(done.base) + count) + '\\n');
    };
    for (let n = 0; n < 40; n++) await append(20);
    arm();
    ${
      armed === 'stop'
        ? `const last = [append(10), append(10)];
    await log.close();
    await Promise.all(last);`
        : `while (statSync(dir + '/log.sqlite-wal').size > 0) await new Promise((done) => setTimeout(done, 20));
    process.kill(process.pid, 'SIGKILL');`
    }`;

  it.each([
    ['of an orderly stop, with appends in flight,', 'stop', KILLS],
    // seconds for each kill
    ...(CAMPAIGN ? ([['of the checkpoint of an idle log', 'idle', KILLS]] as const) : []),
  ] as const)(
    'at any step %s loses nothing that was acknowledged, and a log that is marked as stopped is whole in log.sqlite alone',
    async (_what, armed, kills) => {
      const code = stop(armed);
      let { steps } = await runKilled(code);
      // An idle log may have begun its checkpoint before the process could arm.
      for (let tries = 0; steps < 2 && tries < 5; tries++) {
        rmSync(dir, { recursive: true });
        ({ steps } = await runKilled(code));
      }
      expect(steps).toBeGreaterThanOrEqual(2);
      const states = new Set<string>();
      for (const kill of killsAt(steps, kills)) {
        rmSync(dir, { recursive: true, force: true });
        const { lines } = await runKilled(code, kill);
        const acked = Number(lines.findLast((line) => line.startsWith('acked '))!.slice('acked '.length));
        expect(acked).toBeGreaterThanOrEqual(800);
        const { state } = JSON.parse(readFileSync(join(dir, 'log.mark'), 'utf8').split('\n')[0]!) as { state: string };
        const wal = join(dir, 'log.sqlite-wal');
        states.add(`${state}, ${existsSync(wal) && statSync(wal).size > 0 ? 'with' : 'without'} a WAL`);
        const alone = join(root, 'alone');
        if (state === 'stopped') {
          mkdirSync(alone);
          copyFileSync(join(dir, 'log.sqlite'), join(alone, 'log.sqlite'));
        }
        const held = await reopened(dir, kill, async (log) => {
          const all = await values(log, topic);
          expect([kill, all]).toEqual([kill, numbered(all.length)]);
          expect([kill, all.length >= acked]).toEqual([kill, true]);
          const next = await log.append(topic, 0, [rec(`v${all.length}`)]);
          expect(next).toMatchObject({ kind: 'accepted', base: BigInt(all.length) });
          return all;
        });
        if (state !== 'stopped') continue;
        await reopened(alone, kill, async (log) => expect([kill, await values(log, topic)]).toEqual([kill, held]));
        rmSync(alone, { recursive: true });
      }
      expect(states).toContain('open, with a WAL');
      if (armed === 'stop') expect(states).toContain('stopped, without a WAL');
    },
    LIMIT_MS,
  );
});
