import type { Core } from '#core';
import { partitionKey } from '#event';
import { INDEX_VIEW, type LogEnd } from '#duplicates';
import { Fault } from '#faults';
import type { OpenProjector } from '#projection';

interface LagLabels extends Record<string, string> {
  /** Name of the view, or `duplicate index`. */
  readonly view: string;
  readonly storage: string;
  readonly stream: string;
  readonly partition: string;
}

/** Sets the lag of the duplicate index and of every view in each held partition: events not folded yet, and the age of the oldest of them; restricted streams together. 0 when none waits; no age where it is not known, as `stale` says too (R7.3). */
async function lagOf(core: Core, projector: OpenProjector): Promise<void> {
  const { ends } = core;
  const { lagEvents, lagSeconds } = core.metrics;
  const held = projector.held();
  const known = new Map<string, LogEnd>();
  await Promise.all(
    [...new Set(held.map((h) => h.stream))].map(async (stream) => {
      const all = await ends.fresh(stream).catch(() => []);
      // of a stream that is missing nothing can be behind
      if (all === undefined) throw new Fault('log_unavailable');
      for (const end of all) known.set(partitionKey(stream, end.partition), end);
    }),
  );
  const found: { labels: LagLabels; lag: number; seconds: number | undefined }[] = [];
  for (const { stream, partition, index, views } of held) {
    const end = known.get(partitionKey(stream, partition));
    for (const { view, storage, next } of [{ view: 'duplicate index', storage: INDEX_VIEW, next: index }, ...views]) {
      const { high = next, topicId = '' } = end ?? {};
      const behindMs = await ends.ages.behindMs({ stream, partition }, next, high, topicId);
      const labels = { view, storage, stream, partition: String(partition) };
      found.push({
        labels,
        lag: high > next ? Number(high - next) : 0,
        seconds: behindMs === undefined ? undefined : behindMs / 1000,
      });
    }
  }
  // No await between reset and set: a concurrent scrape must not see a series missing.
  lagEvents.reset();
  lagSeconds.reset();
  const together = new Map<string, number>();
  for (const one of found) {
    const labels = core.openNames.labels(one.labels);
    const key = JSON.stringify(labels);
    const oldest = Math.max(together.get(key) ?? 0, one.seconds ?? 0);
    lagEvents.inc(labels, one.lag);
    if (one.seconds !== undefined) lagSeconds.set(labels, oldest);
    together.set(key, oldest);
  }
}

/** For `Metrics.beforeScrape`. While the log is unavailable the lag is unknown and its series are absent. */
export function lagAtScrape(core: Core, projector: OpenProjector): () => Promise<void> {
  return () =>
    lagOf(core, projector).catch(() => {
      core.metrics.lagEvents.reset();
      core.metrics.lagSeconds.reset();
    });
}
