import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openKafkaLog } from '#log-kafka';
import { noOwnKafka } from '../../test/kit/kafka.js';
import { startKafka } from './kafka.js';

const here = new URL('.', import.meta.url);
const cache = new URL('../../.simpul/kafka', here).pathname;
const reason = noOwnKafka();
const ours = reason === undefined ? it : it.skip;

const script = (body: string): string[] => [
  '--conditions=simpul-source',
  '--disable-warning=ExperimentalWarning',
  '--import',
  new URL('../../libs/log/conformance/sources.mjs', here).href,
  '--input-type=module',
  '-e',
  `import { ensureKafkaJars } from ${JSON.stringify(new URL('kafka-jars.ts', here).href)};
   import { startKafka } from ${JSON.stringify(new URL('kafka.ts', here).href)};\n${body}`,
];

/** Whether a process still runs. A zombie (ended, but not yet reaped by its parent) does not run. */
function runs(pid: number): boolean {
  const state = spawnSync('ps', ['-p', String(pid), '-o', 'stat='], { encoding: 'utf8' }).stdout.trim();
  return state !== '' && !state.startsWith('Z');
}

describe('startKafka', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('names the missing tool and how to install it, in one line', () => {
    const say = (path: string): string => {
      const body = `try { await ensureKafkaJars(${JSON.stringify(dir)}) } catch (e) { console.log(e.code, e.detail) }`;
      return spawnSync(process.execPath, script(body), { encoding: 'utf8', env: { PATH: path } }).stdout.trim();
    };
    expect(say(dir)).toBe(
      'missing_tool java (17 or later) not found. Install it: apt-get install openjdk-17-jre-headless maven',
    );
    const java = spawnSync('sh', ['-c', 'command -v java'], { encoding: 'utf8' }).stdout.trim();
    if (java === '') return;
    mkdirSync(join(dir, 'bin'));
    symlinkSync(java, join(dir, 'bin', 'java'));
    expect(say(join(dir, 'bin'))).toBe(
      'missing_tool mvn not found. Install it: apt-get install openjdk-17-jre-headless maven',
    );
  });

  ours(
    `keeps the data when the process that started it is killed, and a new start stops the orphan and takes over the folder${reason ?? ''}`,
    async () => {
      const data = join(dir, 'data');
      const where = JSON.stringify({ dir: data, cache });
      const child = spawn(
        process.execPath,
        script(`const k = await startKafka(${where}); console.log(k.bootstrap); setInterval(() => {}, 1e6)`),
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const first = await new Promise<string>((resolve, reject) => {
        child.stdout.setEncoding('utf8').once('data', (line: string) => resolve(line.trim()));
        child.once('exit', () => reject(new Error('the starter ended')));
      });
      const before = await openKafkaLog({ brokers: [first], clientId: 'before' });
      await before.ensureTopic({ name: 'kept', partitions: 1, cleanup: 'keep' });
      expect(await before.append('kept', 0, [{ key: null, value: Buffer.from('x'), headers: [] }])).toMatchObject({
        kind: 'accepted',
      });
      await before.close();
      const orphan = Number(readFileSync(join(data, 'n1.pid'), 'utf8'));
      child.removeAllListeners('exit');
      child.kill('SIGKILL');

      const kafka = await startKafka({ dir: data, cache });
      const { pid } = kafka.node(1);
      try {
        expect(pid).not.toBe(orphan);
        expect(runs(orphan)).toBe(false);
        const after = await openKafkaLog({ brokers: [kafka.bootstrap], clientId: 'after' });
        expect((await after.describe('kept'))[0]!.high).toBe(1n);
        await after.close();
      } finally {
        await kafka.stop();
      }
      expect(runs(pid)).toBe(false);
    },
    120_000,
  );
});
