import type { Core } from '#core';
import type { OpenProjector } from '#projection';

/** Sets the lag of each held partition, of the index and of every view: events not folded, and the age of the oldest of them; 0 when there is none. */
export async function lagOf(core: Core, projector: OpenProjector): Promise<void> {
  const { log, now: clock } = core;
  const { lagEvents, lagSeconds } = core.metrics;
  const held = projector.held();
  const highs = new Map<string, bigint>();
  await Promise.all(
    [...new Set(held.map((h) => h.stream))].map(async (stream) => {
      for (const { partition, high } of await log.describe(stream)) highs.set(`${stream}/${partition}`, high);
    }),
  );
  const now = clock();
  const found: { labels: { view: string; stream: string; partition: string }; lag: number; seconds: number }[] = [];
  for (const { stream, partition, index, views } of held) {
    const high = highs.get(`${stream}/${partition}`) ?? index;
    const behind = [{ view: '~index', next: index }, ...views.map((v) => ({ view: v.storage, next: v.next }))];
    for (const { view, next } of behind) {
      const lag = high > next ? Number(high - next) : 0;
      let seconds = 0;
      if (lag > 0) {
        const oldest = await log.read(stream, partition, next, { maxRecords: 1 });
        const time = oldest.kind === 'records' ? oldest.records[0]?.appendTimeMs : undefined;
        if (time !== undefined) seconds = Math.max(0, now - time) / 1000;
      }
      found.push({ labels: { view, stream, partition: String(partition) }, lag, seconds });
    }
  }
  // All at once: a scrape meanwhile must not find a series gone.
  lagEvents.reset();
  lagSeconds.reset();
  for (const { labels, lag, seconds } of found) {
    lagEvents.set(labels, lag);
    lagSeconds.set(labels, seconds);
  }
}

/** For `Metrics.beforeScrape`: without the log the lag is not known, and its series are absent. */
export function lagAtScrape(core: Core, projector: OpenProjector): () => Promise<void> {
  return () =>
    lagOf(core, projector).catch(() => {
      core.metrics.lagEvents.reset();
      core.metrics.lagSeconds.reset();
    });
}
