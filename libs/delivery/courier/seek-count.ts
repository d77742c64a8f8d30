import type { ReadEvent, StreamRange } from '#reading';
import type { SeekPreview } from '../desk-port.js';
import type { CursorRow } from '../port.js';
import { cursorsOf } from './cursors-of.js';
import type { Run } from './run.js';
import type { RunSet } from './run-set.js';

export type SeekCount = Omit<SeekPreview, 'streams'>;

/** Records that are looked at, in all streams together. */
const MOST_RECORDS = 200_000;
const PAGE = 500;

/**
 * What a seek to these cursors does: which events that were delivered come again, and which that were not are passed over. Parked events and dead letters, and what
 * is held behind them, stay. After `maxMs`, or too many records, it is the least that it can be. Faults of the log.
 */
export async function seekCount(
  set: RunSet,
  run: Run,
  to: ReadonlyMap<string, CursorRow>,
  maxMs: number,
): Promise<SeekCount> {
  const { now } = set.deps;
  const endsAt = now() + maxMs;
  const cursors = cursorsOf(run);
  let [again, passedOver, left] = [0, 0, MOST_RECORDS];
  let isIncomplete = false;
  for (const [name, { next: target, topicId }] of to) {
    const followed = run.streams.get(name);
    const cursor = cursors.get(name);
    const stream = set.streamOf(name);
    if (followed === undefined || cursor === undefined || stream === undefined) continue;
    const { scanned } = followed;
    const isFinished = ({ partition, offset }: ReadEvent): boolean =>
      offset < cursor.next[partition]! || cursor.done[partition]?.includes(offset) === true;
    const types = stream.types.length === 0 ? undefined : new Set(stream.types.filter((t) => run.compiled.wants(t)));
    let range: StreamRange = {
      stream,
      topicId,
      next: target.map((offset, p) => least(offset, cursor.next[p]!)),
      end: target.map((offset, p) => most(offset, scanned[p]!)),
      missing: 'skip',
    };
    for (let isOver = false; !isOver;) {
      const scanMs = endsAt - now();
      if (left <= 0 || scanMs <= 0) {
        isIncomplete = true;
        break;
      }
      const budget = { limit: PAGE, scanRecords: left, scanMs };
      const page = await set.deps.reading.readEvents(run.compiled.owner, range, { types }, budget);
      for (const event of page.events) {
        if (!run.compiled.holds(event, set.deps.units) || stays(set, run, event.position)) continue;
        const isPast = event.offset < target[event.partition]!;
        if (isPast && !isFinished(event)) passedOver++;
        if (!isPast && isFinished(event)) again++;
      }
      left -= Number(page.next.reduce((sum, next, p) => sum + next - range.next[p]!, 0n));
      range = { ...range, next: page.next };
      if (page.stopped === 'unsettled') isIncomplete = true;
      isOver = page.stopped === 'end' || page.stopped === 'unsettled';
    }
  }
  const { parked, dead, held } = run.lanes.counts();
  const counts = { events: again - passedOver, again, passedOver, parked, dead, held };
  return isIncomplete ? { ...counts, incomplete: true } : counts;
}

/** A row speaks for it, wherever the cursor stands. */
const stays = (set: RunSet, run: Run, position: string): boolean =>
  run.lanes.parkedAt(position) !== undefined || set.isInRow(run.subscription.id, position);
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
