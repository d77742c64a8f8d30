import type { Core } from '#core';
import { partitionKey } from '#event';
import type { OpenProjector } from '#projection';

/** For `Metrics.beforeScrape`: which view partitions have a complete snapshot, and how far it lies behind the store. */
export function snapshotsAtScrape(
  { metrics, openNames }: Pick<Core, 'metrics' | 'openNames'>,
  projector: OpenProjector,
): void {
  const folded = new Map<string, bigint>();
  for (const { stream, partition, views } of projector.held())
    for (const { storage, next } of views) folded.set(`${storage} ${partitionKey(stream, partition)}`, next);
  metrics.snapshotComplete.reset();
  metrics.snapshotLag.reset();
  for (const { view, storage, partition, state, places } of projector.snapshots()) {
    if (openNames.isRestrictedView(view)) continue;
    const labels = { view, storage, partition: String(partition) };
    metrics.snapshotComplete.set(labels, places.length > 0 || state === 'complete' || state === 'filling' ? 1 : 0);
    for (const { stream, next } of places) {
      const at = folded.get(`${storage} ${partitionKey(stream, partition)}`) ?? next;
      metrics.snapshotLag.set({ ...labels, stream }, at > next ? Number(at - next) : 0);
    }
  }
}
