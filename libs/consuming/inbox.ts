import type { ReadEvent } from '#sdk';

/** What the inbox knows an event by. */
export type InboxEvent = Pick<ReadEvent, 'source' | 'id' | 'digest' | 'recordedtime'>;

/**
 * Which events have had their effect, in the unit's own database. The row of an event commits in one transaction with the effect. An event is known by group, source
 * and id; one with the same id and another digest is another event.
 */
export interface Inbox<Tx = unknown> {
  /** Runs the effect and marks the event, in one transaction; false: the event was marked before, and nothing has run. Rejects with what the effect throws, and then nothing is stored. */
  once(group: string, event: InboxEvent, effect: (tx: Tx) => unknown): Promise<boolean>;
  /** Removes the rows of events of a group that were recorded before this time (ms). */
  prune(group: string, beforeMs: number): Promise<void>;
}
