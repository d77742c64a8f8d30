import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorker } from './child.js';
import type { EmbeddedRequest } from './embedded-child.js';
import { HEAD, perCpu, perSecond, row, type Bar, type Finding } from './finding.js';
import type { Round } from './measure.js';
import { interleave, underTest } from './rounds.js';

const EVENTS_PER_ROUND = 30_000;

/** Durable appends of batches to the embedded log, compared with inserts of the same batches into a bare SQLite table; one batch at a time. */
export async function embeddedAppend(): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const workers = ['simpul', 'bare'].map((variant) =>
    startWorker<EmbeddedRequest>('embedded-child.js', [variant, join(dir, variant)]),
  );
  try {
    const rows: (readonly string[])[] = [];
    const bars: Bar[] = [];
    for (const batch of [100, 500]) {
      const of = (at: number) => (): Promise<Round> =>
        underTest(workers[at]!.pid, () => workers[at]!.ask({ batch, batches: EVENTS_PER_ROUND / batch }));
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
