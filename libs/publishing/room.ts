import { Fault } from '#faults';
import type { LimitOwner, Limits } from '#limits';

/** Takes room for so many events whose outcome is open. Faults body_too_large (no limit ever lets in so many), queue_full. */
export function takeRoom(budgets: Limits, owner: LimitOwner, events: number): void {
  checkFits(budgets, events);
  const reached = budgets.pending.take(owner, events);
  if (reached !== undefined) throw budgets.faultOf(reached, 'queue_full');
}

/** Whether there is room, taking none. Faults as takeRoom. */
export function checkRoom(budgets: Limits, owner: LimitOwner, events: number): void {
  checkFits(budgets, events);
  const reached = budgets.pending.reachedBy(owner, events);
  if (reached !== undefined) throw budgets.faultOf(reached, 'queue_full');
}

function checkFits(budgets: Limits, events: number): void {
  const tooSmall = budgets.pending.tooSmallFor(events);
  if (tooSmall === undefined) return;
  const detail = `more than ${budgets.values[tooSmall]} events, the limit ${tooSmall}`;
  throw new Fault('body_too_large', { detail, limit: tooSmall });
}
