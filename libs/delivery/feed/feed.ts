import type { StreamInfo } from '#registry';
import type { Attachment, FeedPlace, Follower, Wanting } from './follower.js';

/**
 * How events get from streams to the followers of this process: one reader at the end of each stream for all of them, and catch-up readers, few at a time, for those
 * that are behind (R9.1).
 */
export interface Feed<W extends Wanting> {
  /** One call for each follower and stream. `_simpul.test` is a stream too. Nothing is offered before the call has returned. */
  attach(stream: Pick<StreamInfo, 'name' | 'partitions'>, follower: Follower<W>, from: FeedPlace): Attachment;
  /** Ends all readers; followers are not called any more. */
  close(): void;
}
