import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#concurrency';
import { CASE_STREAM } from './case-event.js';
import type { Bar, Finding } from './finding.js';
import { benchKey, openBenchHub } from './hub.js';
import { cpuSeconds, median, residentMegabytes } from './measure.js';
import { ROUNDS } from './rounds.js';

const SETTLE_MS = 8_000;
const WINDOW_MS = 4_000;

/** CPU and memory of an idle hub with all streams and one reader of live events. */
export async function idleBench(): Promise<Finding> {
  const rows: string[][] = [];
  const bars: Bar[] = [];
  for (const engine of ['embedded', 'kafka'] as const) {
    const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
    const hub = await openBenchHub({
      app: 'hub',
      engine,
      dir: join(dir, 'hub'),
      prefix: `i${randomBytes(4).toString('hex')}.`,
    });
    const leave = new AbortController();
    try {
      const authorization = `Bearer ${await benchKey(hub)}`;
      const live = await fetch(`http://${hub.host}:${hub.port}/v1/streams/${CASE_STREAM}/live`, {
        headers: { authorization, accept: 'text/event-stream' },
        signal: leave.signal,
      });
      if (live.status !== 200) throw new Error(`the live door answered ${live.status}: ${await live.text()}`);
      await pause(SETTLE_MS);
      const shares: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        const [cpu, at] = [cpuSeconds(hub.pid), performance.now()];
        await pause(WINDOW_MS);
        shares.push(((cpuSeconds(hub.pid) - cpu) * 100_000) / (performance.now() - at));
      }
      const rss = residentMegabytes(hub.pid);
      rows.push([engine, median(shares).toFixed(2), rss.toFixed(0), shares.map((s) => s.toFixed(1)).join(' · ')]);
      bars.push(
        { text: `${engine}: % of a core`, value: median(shares), bar: 2, atMost: true },
        { text: `${engine}: resident MB`, value: rss, bar: 250, atMost: true },
      );
    } finally {
      leave.abort();
      await hub.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return {
    title: `Idle: hub in one process, all streams made, one live reader, ${ROUNDS} windows of ${WINDOW_MS / 1000} s`,
    head: ['engine', '% of a core', 'resident MB', '% of the windows'],
    rows,
    bars,
  };
}
