import { randomUUID } from 'node:crypto';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { nodeArgs } from '../../deploy/local/child.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { ATTACKS, type Attacker } from '../kit/neighbours/attacks.js';
import { verdictOf, type Waits } from '../kit/neighbours/verdict.js';

/**
 * One unit publishes 20 events a second while another one, or somebody without a key, does what no honest client does. In `npm test` each attack is short and the
 * bounds leave room for a slow machine. The campaign measures long: the publisher alone before and behind each attack, and beside a control, a process that
 * uses as much CPU as the attacker without a request. It prints how many times the quiet p99 and that beside the control it was, and judges by the bar of
 * the project, five times alone, where the two quiet measurements agree; elsewhere by five times the control as well (`verdictOf`).
 */
const campaign = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const SECONDS = campaign ? 30 : 2;
const EVENTS = campaign ? 30_000 : 10_000;
/**
 * In `npm test` a publish may take so long whatever it takes alone: the longest of the 40 on a machine with other work, and the median, which an attack that
 * stops the hub again and again moves first. Nothing that is measured during an attack moves these bounds.
 */
const FLOOR_MS = { p50: 300, p99: 2_000 };
const TIMES = 5;
/** Of each measurement of the campaign without the attack: p99 is the third longest of 300. */
const QUIET_SECONDS = 15;
/** Also where the attacks follow each other without a pause in which the heap shrinks again, as in `npm test`. */
const MAX_RSS_MIB = 700;
const TYPE = 'layanan.kasus.status-berubah';
const VICTIM = 'SU00520';
const OTHER = 'SU00521';
const kit = (file: string): string => join(import.meta.dirname, '../kit/neighbours', file);
const run = promisify(execFile);

interface Measured extends Waits {
  readonly refused: readonly unknown[];
}

let hub: Deployment;
let attacker: Attacker;
let victimKey: string;
let sample: string;
let quiet: Measured;

const at = (ms: readonly number[], part: number): number =>
  ms.toSorted((a, b) => a - b)[Math.min(ms.length - 1, Math.floor(ms.length * part))]!;

async function ask<T>(path: string, key: string, body?: unknown, type = 'application/json'): Promise<T> {
  const r = await fetch(hub.url + path, {
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await r.text();
  if (!r.ok) throw new Error(`${path}: ${r.status} ${text.slice(0, 500)}`);
  return JSON.parse(text) as T;
}

async function victim(seconds: number): Promise<Measured> {
  const args = [kit('victim.mjs'), hub.url, victimKey, `urn:simpul:unit:${VICTIM}:uji`, sample, String(seconds)];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 24 });
  const { ms, refused } = JSON.parse(stdout) as { ms: number[]; refused: unknown[] };
  return { p50: at(ms, 0.5), p99: at(ms, 0.99), refused };
}

interface Came {
  /** How often each thing happened. */
  readonly came: Readonly<Record<string, number>>;
  /** Part of a processor that the attacker used. */
  readonly cpu: number;
}

/** Starts an attack, or the control of one. Answers its end. */
async function started(name: string, given: string): Promise<() => Promise<Came>> {
  const child = spawn(process.execPath, nodeArgs('test/kit/neighbours/attacker.js', [name, given]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (d: string) => (text += d));
  const ended = once(child, 'close');
  await once(child, 'spawn');
  return async () => {
    child.stdin.end();
    const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(late);
    return text === '' ? { came: {}, cpu: 0.99 } : (JSON.parse(text) as Came);
  };
}

function show(name: string, figures: object): void {
  process.stderr.write(`${name}: ${JSON.stringify(figures)}\n`);
}

/** The memory of the hub, MiB. */
function rss(): number {
  const pid = readFileSync(join(hub.dir, 'owner.pid'), 'utf8').trim();
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1_024;
}

beforeAll(async () => {
  hub = await deploy({ SIMPUL_LOG_LEVEL: 'error' });
  victimKey = await hub.key(VICTIM, 'uji', ['publisher', 'reader']);
  const key = await hub.key(OTHER, 'uji', ['publisher', 'reader']);
  const readers = await Promise.all(['satu', 'dua', 'tiga', 'empat'].map((s) => hub.key(OTHER, s, ['reader'])));
  interface Sample {
    readonly type: string;
    readonly data: Record<string, unknown>;
  }
  const own = await ask<Sample>(`/v1/event-types/${TYPE}/sample`, victimKey);
  const theirs = await ask<Sample>(`/v1/event-types/${TYPE}/sample`, key);
  sample = JSON.stringify({ type: TYPE, data: own.data });
  const source = `urn:simpul:unit:${OTHER}:uji`;
  const admin = await hub.key(OTHER, 'kunci', ['admin']);
  attacker = { url: hub.url, key, readers, admin, source, sample: theirs };
  const batch = 'application/cloudevents-batch+json';
  for (let n = 0; n < EVENTS; n += 5_000) {
    const events = Array.from({ length: 5_000 }, () => ({
      specversion: '1.0',
      id: randomUUID(),
      source: `urn:simpul:unit:${VICTIM}:uji`,
      type: TYPE,
      data: { ...own.data, nomorKasus: `N-${randomUUID()}` },
    }));
    await ask('/v1/events', victimKey, events, batch);
  }
  const report = await ask<Sample>('/v1/event-types/ham.pengaduan.diterima/sample', key);
  for (let n = 0; n < 12; n++) {
    const data = { ...report.data, nomorPengaduan: `B-${randomUUID()}`, uraian: '\u6f22'.repeat(200_000) };
    await ask(
      '/v1/events',
      key,
      { specversion: '1.0', id: randomUUID(), source, type: report.type, data },
      'application/cloudevents+json',
    );
  }
  // In the campaign this one only warms the hub up.
  quiet = await victim(campaign ? 10 : 3);
}, 120_000);
afterAll(() => hub.close());

describe('a unit that publishes 20 events a second', () => {
  it.each(Object.keys(ATTACKS))(
    'is not refused, and waits less than five times as long as alone, beside %s',
    async (name) => {
      let peak = rss();
      const watch = setInterval(() => (peak = Math.max(peak, rss())), 100);
      if (campaign) quiet = await victim(QUIET_SECONDS);
      const end = await started(name, JSON.stringify(attacker));
      await pause(400);
      const measured = await victim(SECONDS);
      const { came, cpu } = await end();
      clearInterval(watch);
      // What the attack has left is gone before the next one.
      await pause(campaign ? 3_000 : 100);
      const told = { quiet, measured, peak: Math.round(peak), cpu, came };
      let bound: Waits = {
        p50: Math.max(TIMES * quiet.p50, FLOOR_MS.p50),
        p99: Math.max(TIMES * quiet.p99, FLOOR_MS.p99),
      };
      if (campaign) {
        const behind = await victim(QUIET_SECONDS);
        const over = await started('control', String(cpu));
        const control = await victim(QUIET_SECONDS);
        await over();
        const verdict = verdictOf([quiet, behind], control, measured);
        ({ bound } = verdict);
        show(name, { ...verdict, ...told, behind, control });
      } else if (process.env['SIMPUL_TEST_SHOW'] !== undefined) show(name, told);
      expect(measured.refused).toEqual([]);
      expect(measured.p50).toBeLessThan(bound.p50);
      expect(measured.p99).toBeLessThan(bound.p99);
      expect(peak).toBeLessThan(MAX_RSS_MIB);
    },
    SECONDS * 1_000 + 120_000,
  );
});
