import type { LoggedEvent, ReadEvent } from '#reading';
import type { Wanting } from './follower.js';

/** Subscriptions that look at the same events; `MatchIndex` of room subscriptions is one. The feed makes several: one of those at the end of a stream, one for each catch-up reader. */
export interface Matches<W extends Wanting> {
  /** Takes the place of one with the same id. */
  add(subscription: W): void;
  remove(id: string): void;
  /** Whether one of them wants a type: otherwise nothing of the event is decoded. */
  wants(type: string): boolean;
  /** To which of them the event is due now, in no order. undefined: its data cannot be decoded, so nobody can say (damaged). */
  due(event: LoggedEvent): readonly { readonly subscription: string; readonly event: ReadEvent }[] | undefined;
}
