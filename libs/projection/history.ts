import { Fault, type Problem } from '#faults';
import type { EventLog } from '#log';
import { snapshotTopics } from '#snapshots';
import { UNITS_STREAM } from '#units';
import type { CompiledView } from './compile.js';
import { existingTopics, findSnapshots } from './found-snapshots.js';
import { storageOf, type Generations } from './generations.js';
import { texts } from './texts.js';

/** Fault view_history_missing when a stream of the view has deleted events: a new generation could not be folded from the beginning (R6.2). Faults of the log. */
export async function needWholeHistory(log: Pick<EventLog, 'describe'>, view: CompiledView): Promise<void> {
  for (const stream of view.streams)
    for (const { partition, low } of await log.describe(stream))
      if (low > 0n)
        throw new Fault('view_history_missing', { detail: `${view.name}: ${stream}/${partition} begins at ${low}` });
}

/**
 * The views that fold this stream. Fault snapshot_incomplete when the hub folds it without snapshots (the units), and unless every view that folds this stream has a complete snapshot in every partition, of the generation that serves and with
 * none being built: only then may the stream delete events (R6.2). Faults of the log.
 */
export async function needSnapshots(
  deps: {
    readonly log: Pick<EventLog, 'describe' | 'read' | 'topicId'>;
    readonly views: Iterable<CompiledView>;
    readonly generations: Pick<Generations, 'row'>;
  },
  stream: string,
): Promise<readonly string[]> {
  const problems: Problem[] = [];
  if (stream === UNITS_STREAM) problems.push({ pointer: stream, reason: texts.units_without_snapshot() });
  const folding: string[] = [];
  for (const view of deps.views) {
    if (!view.streams.includes(stream)) continue;
    folding.push(view.name);
    const { partitions } = view;
    const row = deps.generations.row(view.name);
    const whole = row === undefined ? [] : await wholePartitions(deps.log, view, storageOf(view.name, row.serving));
    const missing = row?.building === undefined ? partitions - whole.length : partitions;
    if (missing > 0)
      problems.push({ pointer: view.name, reason: texts.without_snapshot({ view: view.name, missing, partitions }) });
  }
  if (problems.length > 0) throw new Fault('snapshot_incomplete', { detail: stream, problems });
  return folding;
}

async function wholePartitions(
  log: Pick<EventLog, 'describe' | 'read' | 'topicId'>,
  view: CompiledView,
  storage: string,
): Promise<number[]> {
  const topics = await existingTopics(log, snapshotTopics(storage));
  const whole: number[] = [];
  for (let partition = 0; partition < view.partitions; partition++)
    if ((await findSnapshots(log, { view, partition }, topics)).some((s) => s.reaches)) whole.push(partition);
  return whole;
}
