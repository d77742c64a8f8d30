import type { OpenProjector } from '#projection';
import type { Core } from './core.js';

/** Sets the lag of each held partition: events not folded, and the age of the oldest of them. Partitions without lag show 0 for the index only. */
export async function lagOf(core: Core, projector: OpenProjector): Promise<void> {
  const { lagEvents, lagSeconds } = core.metrics;
  const { log } = core.engine;
  lagEvents.reset();
  lagSeconds.reset();
  const held = projector.held();
  const highs = new Map<string, bigint>();
  await Promise.all(
    [...new Set(held.map((h) => h.stream))].map(async (stream) => {
      for (const { partition, high } of await log.describe(stream)) highs.set(`${stream}/${partition}`, high);
    }),
  );
  const now = Date.now();
  for (const { stream, partition, index, views } of held) {
    const high = highs.get(`${stream}/${partition}`) ?? index;
    const behind = [{ view: '~index', next: index }, ...views.map((v) => ({ view: v.storage, next: v.next }))];
    for (const { view, next } of behind) {
      const lag = high > next ? Number(high - next) : 0;
      if (lag === 0 && view !== '~index') continue;
      const labels = { view, stream, partition: String(partition) };
      lagEvents.set(labels, lag);
      let seconds = 0;
      if (lag > 0) {
        const oldest = await log.read(stream, partition, next, { maxRecords: 1 });
        const time = oldest.kind === 'records' ? oldest.records[0]?.timeMs : undefined;
        if (time !== undefined) seconds = Math.max(0, now - time) / 1000;
      }
      lagSeconds.set(labels, seconds);
    }
  }
}

/** `/metrics`: gauges are set at the scrape, lag where this process folds. */
export function metricsOf(
  core: Core,
  projector: OpenProjector | undefined,
  measure: () => void,
): () => Promise<{ readonly contentType: string; readonly text: string }> {
  return async () => {
    measure();
    // Without the log the lag is not known; everything else is still told.
    if (projector) await lagOf(core, projector).catch(() => undefined);
    return { contentType: 'text/plain; version=0.0.4; charset=utf-8', text: await core.metrics.text() };
  };
}
