import { jittered, pause } from '#concurrency';
import type { Answer, SealAnswer } from './ops.js';

export interface OldRowsDeps {
  /** One step in the writer thread. */
  step(): Promise<Answer>;
  damaged(found: SealAnswer['damaged'][number]): void;
  readonly closed: AbortSignal;
}

/** The steps take a tenth of the writer thread and of the disk; appends wait for one step at most. */
const REST = 9;
const MIN_REST_MS = 5;
/** After a step that could not be done: the disk is full, or another process writes. */
const RETRY_MS = 60_000;

/** Looks once at every row that has no checksum and adds it; see sealing.ts. Answers the number of records that have one now, when it ends or the log closes. */
export async function sealOldRows({ step, damaged, closed }: OldRowsDeps): Promise<number> {
  for (let records = 0; ;) {
    const begun = performance.now();
    const answer = await step();
    if (answer.kind === 'sealed') {
      records += answer.records;
      answer.damaged.forEach(damaged);
      if (answer.done) return records;
    }
    if (closed.aborted) return records;
    const rest = answer.kind === 'sealed' ? Math.max(MIN_REST_MS, (performance.now() - begun) * REST) : RETRY_MS;
    await pause(jittered(rest), closed);
  }
}
