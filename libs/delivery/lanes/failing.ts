import type { LaneChange, ParkedRow } from '../port.js';
import type { Board } from './board.js';
import type { Gathered } from './effects.js';
import { HELD, PARKED, RETRY, type Entry } from './lane.js';
import { deleteRows, iso, putRow } from './rows.js';
import { jittered } from './target.js';
import type { FailedOutcome, ItemResult, Outcome, ParkedLane } from './types.js';

function wait(board: Board<unknown>, ms: number): number {
  return jittered(ms, board.policy.jitter, board.random);
}

/** How long an event that is not parked waits after so many tries. */
export function retryWait(board: Board<unknown>, entry: { readonly tries: number }): number {
  const { retryMs, parkedMs } = board.policy;
  const beyond = entry.tries - 1 - retryMs.length;
  const ms = beyond < 0 ? retryMs[entry.tries - 1] : parkedMs[Math.min(beyond, parkedMs.length - 1)];
  return wait(board, ms ?? 0);
}

/** What must be durable before the next try of the event (R8.7). Every try ≥ 2 is recorded, so an event that crashes the courier is not tried for ever. */
export function beforeTry<E>(board: Board<E>, entry: Entry<E>): LaneChange[] {
  const { trouble } = entry;
  const next = entry.tries + 1;
  // What does not count while the target is down leaves the number, and the row that has it.
  if (trouble === undefined || !entry.alone || trouble.rowTry >= next) return [];
  trouble.rowTry = next;
  if (trouble.row !== undefined) {
    trouble.row = rowBeforeTry(board, trouble.row, next, trouble.redrive);
    return [putRow(board.subscription, trouble.row)];
  }
  entry.rows |= RETRY;
  const { position, lane, subject, at } = entry;
  const { firstAt, cause } = trouble;
  const known = at === undefined ? {} : { at };
  return [putRow(board.subscription, { kind: 'retry', position, lane, subject, try: next, firstAt, cause, ...known })];
}

function rowBeforeTry(board: Board<unknown>, row: ParkedRow, tries: number, redrive: boolean): ParkedRow {
  if (redrive || row.deadAt !== undefined) return { ...row, tries };
  const step = row.step + 1;
  const nextAt = iso(board.now() + wait(board, board.policy.parkedMs[step] ?? 0));
  return { ...row, tries, step, nextAt };
}

/** A try of one event failed, and the event is the cause. */
export function countFailure<E>(
  board: Board<E>,
  entry: Entry<E>,
  failure: Pick<FailedOutcome, 'reason' | 'status'> & { readonly kind: Outcome['kind'] },
  effects: Gathered<E>,
): ItemResult {
  const now = board.now();
  entry.tries++;
  const trouble = (entry.trouble ??= {
    firstAt: iso(now),
    lastAt: iso(now),
    cause: '',
    status: undefined,
    rowTry: 0,
    row: undefined,
    redrive: false,
    skipped: false,
  });
  trouble.lastAt = iso(now);
  trouble.cause = failure.reason;
  trouble.status = failure.status;
  if (trouble.row !== undefined) return stepWait(board, entry, effects);
  const { home: lane } = entry;
  trouble.redrive = false;
  const exhausted = entry.tries > board.policy.retryMs.length;
  if (!lane.ordered && (exhausted || failure.kind === 'refused')) {
    park(board, entry, effects);
    return 'parked';
  }
  if (lane.ordered && entry.tries === board.policy.retryMs.length + 1)
    effects.alarms.push({
      kind: 'stream_stands',
      position: entry.position,
      subject: entry.subject,
      cause: trouble.cause,
    });
  entry.due = now + retryWait(board, entry);
  if (!lane.ordered && !lane.holding) board.failing.add(lane);
  return 'failed';
}

/** The lane stands from now on: rows speak for the event and for everything behind it (R8.3). */
export function park<E>(board: Board<E>, entry: Entry<E>, effects: Gathered<E>): void {
  const { home: lane, position, subject } = entry;
  const trouble = entry.trouble!;
  const now = board.now();
  entry.due = now + wait(board, board.policy.parkedMs[0] ?? 0);
  const replaced = entry.rows;
  if (replaced & HELD) {
    lane.kept--;
    board.held--;
    if (entry.counted) board.heldInMemory--;
  }
  trouble.row = {
    kind: 'parked',
    position,
    lane: lane.key,
    subject,
    cause: trouble.cause,
    tries: entry.tries,
    step: 0,
    ...(trouble.status !== undefined && { lastStatus: trouble.status }),
    firstAt: trouble.firstAt,
    lastAt: iso(now),
    since: iso(now),
    nextAt: iso(entry.due),
  };
  trouble.rowTry = entry.tries;
  entry.rows = PARKED;
  effects.changes.push(putRow(board.subscription, trouble.row), ...deleteRows(board.subscription, entry, replaced));
  effects.kept.push(entry);
  effects.alarms.push({ kind: 'parked', position, subject, cause: trouble.cause });
  lane.parked++;
  board.parked.set(position, entry);
  board.failing.delete(lane);
  board.holdFollowers(entry, effects);
}

/** A try of a parked event failed: it waits for the next scheduled one, or becomes a dead letter. */
export function stepWait<E>(board: Board<E>, entry: Entry<E>, effects: Gathered<E>): ItemResult {
  const trouble = entry.trouble!;
  const { nextAt, lastStatus: _, ...row } = trouble.row!;
  const now = board.now();
  const dies = row.deadAt === undefined && row.step >= board.policy.parkedMs.length && !trouble.redrive;
  const dead = dies || row.deadAt !== undefined;
  trouble.redrive = false;
  trouble.row = {
    ...row,
    cause: trouble.cause,
    tries: entry.tries,
    lastAt: iso(now),
    ...(trouble.status !== undefined && { lastStatus: trouble.status }),
    ...(!dead && nextAt !== undefined && { nextAt }),
    ...(dies && { deadAt: iso(now) }),
  };
  entry.due = dead ? Infinity : Date.parse(nextAt ?? row.lastAt);
  effects.changes.push(putRow(board.subscription, trouble.row));
  effects.kept.push(entry);
  if (!dies) return 'failed';
  board.dead++;
  effects.alarms.push({ kind: 'dead', position: entry.position, subject: entry.subject, cause: trouble.cause });
  return 'dead';
}

/** What is shown of the head of a stream-ordered lane that stands. It has no row of a parked event: nothing passes it (R8.4). */
export function standingRow<E>(board: Board<E>, head: Entry<E>): ParkedLane {
  const { position, lane, subject, tries, due, home } = head;
  const { cause, status, firstAt, lastAt } = head.trouble!;
  return {
    kind: 'parked',
    position,
    lane,
    subject,
    cause,
    tries,
    step: 0,
    ...(status !== undefined && { lastStatus: status }),
    firstAt,
    lastAt,
    since: firstAt,
    nextAt: iso(Math.max(due, board.now())),
    held: home.behind(),
  };
}
