import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASE_STREAM } from './case-event.js';
import { startWorker } from './child.js';
import type { Bar, Finding } from './finding.js';
import { benchKey, openBenchHub, type BenchEngine } from './hub.js';
import type { LiveAnswer, LiveLoad, LiveReaders } from './live-child.js';
import { cpuSeconds, median } from './measure.js';
import { untilCalm } from './rounds.js';

const ROUNDS = 3;
const SECONDS = 6;
/** A key may hold 200 live streams. */
const READERS_PER_KEY = 100;
const CROWDS = [
  { readers: 1, rate: 100 },
  { readers: 100, rate: 20 },
  { readers: 1_000, rate: 100 },
] as const;

interface Round {
  readonly answer: LiveAnswer;
  /** Of the hub process, % of a core. */
  readonly share: number;
}

async function measure(engine: BenchEngine, readers: number, rate: number): Promise<readonly Round[]> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const prefix = `v${randomBytes(4).toString('hex')}.`;
  const hub = await openBenchHub({ app: 'hub', engine, dir: join(dir, 'hub'), prefix });
  const worker = startWorker<LiveReaders | LiveLoad, LiveAnswer>('live-child.js', []);
  try {
    const keys: string[] = [];
    for (let i = 0; i < Math.ceil(readers / READERS_PER_KEY); i++) keys.push(await benchKey(hub));
    const { host, port, pid } = hub;
    await worker.ask({ host, port, path: `/v1/streams/${CASE_STREAM}/live`, keys, readers });
    const rounds: Round[] = [];
    // The first round is the warm-up.
    for (let i = 0; i <= ROUNDS; i++) {
      await untilCalm(pid);
      const before = cpuSeconds(pid);
      const answer = await worker.ask({ rate, seconds: SECONDS, run: `${prefix}${i}` });
      const share = ((cpuSeconds(pid) - before) * 100) / answer.seconds;
      if (answer.wrong > 0)
        throw new Error(`${engine}: ${answer.wrong} of ${readers} readers missed or doubled events`);
      if (i > 0) rounds.push({ answer, share });
    }
    return rounds;
  } finally {
    await worker.stop();
    await hub.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What live readers (server-sent events) of one stream cost the hub, and when they receive an event. */
export async function liveBench(): Promise<Finding> {
  const rows: string[][] = [];
  const bars: Bar[] = [];
  for (const engine of ['embedded', 'kafka'] as const)
    for (const { readers, rate } of CROWDS) {
      const rounds = await measure(engine, readers, rate);
      const share = median(rounds.map((r) => r.share));
      const micros = median(rounds.map(({ answer, share: s }) => (s * 1e4 * answer.seconds) / answer.events));
      rows.push([
        engine,
        `${readers}`,
        `${rate}`,
        share.toFixed(0),
        micros.toFixed(1),
        median(rounds.map((r) => r.answer.p50)).toFixed(0),
        median(rounds.map((r) => r.answer.p99)).toFixed(0),
        rounds.map((r) => r.share.toFixed(0)).join(' · '),
      ]);
      if (readers === 1_000)
        bars.push({
          text: `${engine}: 1,000 live readers at 100 events/s, % of a core`,
          value: share,
          bar: 50,
          atMost: true,
        });
    }
  return {
    title: `Live readers: server-sent events of one stream, hub in one process, ${ROUNDS} rounds of ${SECONDS} s`,
    head: [
      'engine',
      'readers',
      'events/s',
      '% of a core',
      'CPU µs a delivered event',
      'p50 ms',
      'p99',
      '% of the rounds',
    ],
    rows,
    bars,
  };
}
