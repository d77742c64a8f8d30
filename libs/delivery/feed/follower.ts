import type { Fault } from '#faults';
import type { ReadEvent } from '#reading';

/** A subscription as Matches knows it; `CompiledSubscription` of room subscriptions is one. */
export interface Wanting {
  readonly id: string;
  /** Whether events of a type can be due at all. Cheap. */
  wants(type: string): boolean;
}

/** What a subscription takes of one stream. The feed makes one call at a time, and none after detach() or interrupted(). */
export interface Follower<W extends Wanting = Wanting> {
  /** What decides which events are due. It does not change: detach, and attach again at the place that detach() answers. */
  readonly subscription: W;
  /** Id of the unit or party for which the work of catching up is counted: units take turns. */
  readonly unit: string;
  /** Events that it takes now. 0: it is full, and is offered nothing until Attachment.resume(). */
  readonly room: number;
  /**
   * The next event that is due: settled, no copy, each once, in offset order in each partition. It must not throw: the follower would be interrupted with a fault
   * `internal`, and stand before this event.
   */
  offer(event: ReadEvent): void;
  /** A record that cannot be read lies here, and nobody can say whether it is due (R15.7); told once, before Attachment.scanned passes it. */
  damaged(position: string): void;
  /**
   * The log is not the one, or not at the place, that the follower believes in: `offset_out_of_range` (retention has passed its place; the detail names the earliest
   * position), `stream_recreated`, `unknown_cursor` (the log ends below its place). It stands still: there is no jump. Attach again where it shall go on.
   */
  interrupted(fault: Fault): void;
}

/** Where a follower goes on in a stream. */
export interface FeedPlace {
  /** First 8 digits of the id of the topic, as in a cursor. */
  readonly topicId: string;
  /** Next offset by partition number. */
  readonly next: readonly bigint[];
}

/** A follower at a stream. The getters cost nothing that grows with the number of followers: ask as often as you like. */
export interface Attachment {
  /**
   * By partition: every event below this offset has been looked at, and offered if it was due. A cursor may go so far when what was offered is finished. It never
   * moves back.
   */
  readonly scanned: readonly bigint[];
  /** `live`: at the shared reader, or near enough to come back to it without reading the log. */
  readonly mode: 'live' | 'catch-up';
  /**
   * Settled records that it has not looked at, whether they are due or not, and the append time of the first of them, ms since 1970; undefined when there is none,
   * or when it is not known yet.
   */
  readonly lag: { readonly events: bigint; readonly oldestAppendMs: number | undefined };
  /** There is room again. Call it when a good part of the room is free, not for each single event. */
  resume(): void;
  /** Ends it at once; also from within a call of the follower. Answers where to attach again. */
  detach(): FeedPlace;
}
