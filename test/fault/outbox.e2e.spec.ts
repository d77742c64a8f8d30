import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, createReader, type ReadEvent } from '#sdk';
import { deploy, type Deployment } from '../kit/deployment.js';
import { random } from '../kit/random.js';

const KILLS = process.env['SIMPUL_TEST_CAMPAIGN'] ? 100 : 5;
const SEED = Number(process.env['SIMPUL_TEST_SEED'] ?? 2021);
const UNIT = 'SU00518';
const CHILD = join(import.meta.dirname, '../../dist/test/kit/kills/outbox-unit.js');

describe('kill -9 of a unit that publishes with an outbox', () => {
  let hub: Deployment | undefined;
  let running: ChildProcess | undefined;
  afterEach(async () => {
    running?.kill('SIGKILL');
    await hub?.close();
  });

  it(
    `loses nothing that was queued, records nothing twice, keeps the order per subject and the numbers: ${KILLS} kills, seed ${SEED} (SIMPUL_TEST_SEED)`,
    async () => {
      const rnd = random(SEED);
      hub = await deploy();
      const key = await hub.key(UNIT, 'sdp', ['publisher', 'reader']);
      const file = join(hub.dir, 'unit.sqlite');
      const queued = new Map<string, number>();
      const counted = new EventEmitter();
      const start = (what: 'queue' | 'drain'): ChildProcess => {
        const first = Math.max(0, ...queued.values()) + 20;
        const args = [CHILD, hub!.url, key, UNIT, file, String(first), what];
        const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        createInterface({ input: child.stdout }).on('line', (line) => {
          const [status, id, n] = line.split(' ');
          if (status === 'queued') queued.set(id!, Number(n));
          counted.emit('queued');
        });
        child.on('close', () => counted.emit('queued'));
        return child;
      };

      for (let k = 0; k < KILLS; k++) {
        running = start('queue');
        const target = queued.size + 3 + Math.floor(rnd() * 120);
        while (queued.size < target && running.exitCode === null) await once(counted, 'queued');
        expect(running.exitCode).toBeNull();
        const closed = once(running, 'close');
        running.kill('SIGKILL');
        await closed;
        if (k % 5 === 4) await hub.crash();
      }
      running = start('drain');
      expect(await once(running, 'close')).toEqual([0, null]);

      const connection = connect({ url: hub.url });
      const log: ReadEvent[] = [];
      // pages() drops no copies, as read() would.
      for await (const page of createReader({ connection, key }).pages('pas.hunian')) log.push(...page.events);
      await connection.close();
      const ids = log.map((e) => e.id);
      expect(new Set(ids).size).toBe(ids.length);
      const recorded = new Set(ids);
      expect([...queued.keys()].filter((id) => !recorded.has(id))).toEqual([]);
      expect(queued.size).toBeGreaterThan(KILLS * 3);
      const days = new Map<string, number[]>();
      for (const { data } of log as unknown as { data: Record<string, unknown> }[]) {
        const day = String(data['tanggal']);
        days.set(day, [...(days.get(day) ?? []), Number(data['jumlahTahanan'])]);
      }
      expect(days.size).toBe(5);
      for (const numbers of days.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      const sequence = log.map((e) => Number((e as unknown as Record<string, unknown>)['urutanunit']));
      expect(sequence.toSorted((a, b) => a - b)).toEqual(Array.from(log, (_, i) => i + 1));
    },
    60_000 + KILLS * 15_000,
  );
});
