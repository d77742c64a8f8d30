import type { TopicSpec } from '#log';

/** The first topic with the snapshot of a stored generation: `_simpul.view.<view>.<generation>`. */
export const snapshotTopic = (storage: string): string => `_simpul.view.${storage.replace('~', '.')}`;

/**
 * The topics of a stored generation. A view partition has its snapshot in one of them; one that is begun anew goes to the other, so that the complete one
 * stays usable until its successor is complete.
 */
export const snapshotTopics = (storage: string): readonly [string, string] => [
  snapshotTopic(storage),
  `${snapshotTopic(storage)}.b`,
];

/** One partition for each of the view; compacted, so that it holds the newest value of each key. */
export const snapshotTopicSpec = (name: string, partitions: number): TopicSpec => ({
  name,
  partitions,
  cleanup: 'compact',
});
