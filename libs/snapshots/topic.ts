import type { TopicSpec } from '#log';

/** The topic with the snapshot of a stored generation: `_simpul.view.<view>.<generation>`. */
export const snapshotTopic = (storage: string): string => `_simpul.view.${storage.replace('~', '.')}`;

/** One partition for each of the view; compacted, so that it holds the newest value of each key. */
export const snapshotTopicSpec = (storage: string, partitions: number): TopicSpec => ({
  name: snapshotTopic(storage),
  partitions,
  cleanup: 'compact',
});
