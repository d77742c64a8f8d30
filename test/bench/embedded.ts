import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorker } from './child.js';
import type { EmbeddedAsk } from './embedded-child.js';
import { HEAD, perCpu, perSecond, row, type Bar, type Finding } from './finding.js';
import type { Round } from './measure.js';
import { interleave, underTest } from './rounds.js';

const EVENTS_A_ROUND = 30_000;

/** Durable append of batches to the embedded log beside a bare SQLite insert of the same batches, one at a time. */
export async function embeddedAppend(): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const workers = ['simpul', 'bare'].map((variant) =>
    startWorker<EmbeddedAsk>('embedded-child.js', [variant, join(dir, variant)]),
  );
  try {
    const rows: (readonly string[])[] = [];
    const bars: Bar[] = [];
    for (const batch of [100, 500]) {
      const of = (at: number) => (): Promise<Round> =>
        underTest(workers[at]!.pid, () => workers[at]!.ask({ batch, batches: EVENTS_A_ROUND / batch }));
      const { ours, bare } = await interleave({ ours: of(0), bare: of(1) });
      rows.push(row(`embedded log, batches of ${batch}`, ours), row(`bare SQLite, batches of ${batch}`, bare));
      bars.push(
        perSecond(`Batches of ${batch}: embedded log / bare SQLite`, 0.6, ours, bare),
        perCpu(`Batches of ${batch}: embedded log / bare SQLite`, 0.6, ours, bare),
      );
    }
    return { title: 'Embedded: durable append (WAL, synchronous=FULL)', head: HEAD, rows, bars };
  } finally {
    for (const w of workers) await w.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
