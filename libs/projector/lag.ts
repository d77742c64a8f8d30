import type { Core } from '#core';
import { partitionKey } from '#event';
import { INDEX_VIEW } from '#duplicates';
import type { OpenProjector } from '#projection';

interface LagLabels extends Record<string, string> {
  /** Name of the view, or `duplicate index`. */
  readonly view: string;
  readonly storage: string;
  readonly stream: string;
  readonly partition: string;
}

/** Sets the lag of the duplicate index and of every view in each held partition: events not folded yet, and the age of the oldest of them. 0 when none waits. */
async function lagOf(core: Core, projector: OpenProjector): Promise<void> {
  const { log, now: clock } = core;
  const { lagEvents, lagSeconds } = core.metrics;
  const held = projector.held();
  const highs = new Map<string, bigint>();
  await Promise.all(
    [...new Set(held.map((h) => h.stream))].map(async (stream) => {
      for (const { partition, high } of await log.describe(stream)) highs.set(partitionKey(stream, partition), high);
    }),
  );
  const now = clock();
  const found: { labels: LagLabels; lag: number; seconds: number }[] = [];
  for (const { stream, partition, index, views } of held) {
    const high = highs.get(partitionKey(stream, partition)) ?? index;
    for (const { view, storage, next } of [{ view: 'duplicate index', storage: INDEX_VIEW, next: index }, ...views]) {
      const lag = high > next ? Number(high - next) : 0;
      let seconds = 0;
      if (lag > 0) {
        const oldest = await log.read(stream, partition, next, { maxRecords: 1 });
        const time = oldest.kind === 'records' ? oldest.records[0]?.appendTimeMs : undefined;
        if (time !== undefined) seconds = Math.max(0, now - time) / 1000;
      }
      found.push({ labels: { view, storage, stream, partition: String(partition) }, lag, seconds });
    }
  }
  // No await between reset and set: a concurrent scrape must not see a series missing.
  lagEvents.reset();
  lagSeconds.reset();
  for (const { labels, lag, seconds } of found) {
    lagEvents.set(labels, lag);
    lagSeconds.set(labels, seconds);
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
