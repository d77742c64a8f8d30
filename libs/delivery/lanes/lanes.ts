import type { CursorRow, LaneChange, LaneRow, Place } from '../port.js';
import { Board } from './board.js';
import { Gathered } from './effects.js';
import { beforeTry, countFailure, standingRow } from './failing.js';
import { Flight } from './flight.js';
import { FLYING, PARKED, type Entry, type Lane } from './lane.js';
import { placeOf } from './rows.js';
import { TargetState } from './target.js';
import {
  POLICY,
  type Attempt,
  type AttemptItem,
  type Effects,
  type Ended,
  type FailedOutcome,
  type Item,
  type LaneCounts,
  type LaneMachine,
  type Outcome,
  type ParkedLane,
  type Policy,
} from './types.js';

export interface LanesOptions {
  readonly subscription: string;
  /** Time of the day in ms: what rows say is compared with it after a takeover. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly policy?: Partial<Policy>;
  /** Every row of the subscription that an earlier owner left. */
  readonly rows?: Iterable<LaneRow>;
}

const NO_CHANGES: readonly LaneChange[] = [];
const DELIVERED: Effects = new Gathered<never>(['delivered']);

/** See {@link LaneMachine}. */
export class Lanes<E> implements LaneMachine<E> {
  readonly #board: Board<E>;
  readonly #policy: Policy;
  readonly #target: TargetState<readonly Entry<E>[]>;
  /** Unfinished events in memory. */
  #most: number;
  #attempts = 0;
  #items = 0;

  constructor({ subscription, now, random, policy, rows }: LanesOptions) {
    this.#policy = { ...POLICY, ...policy };
    this.#most = this.#policy.maxItems;
    this.#board = new Board<E>({ subscription, now, random, policy: this.#policy });
    this.#target = new TargetState(this.#policy, random);
    if (rows !== undefined) this.#board.takeOver(rows);
  }

  restore(stream: string, row: CursorRow): void {
    const places = this.#board.stream(stream);
    places.topicId = row.topicId;
    places.start = row.start;
    this.#board.restored(stream, row.next);
    for (const [p, next] of row.next.entries()) places.partition(p).restore(next, row.done[p] ?? []);
  }

  offer(item: Item<E>): void {
    const board = this.#board;
    if (board.add(item) === undefined) return;
    if (board.failing.size > 0 && board.waiting * 4 >= this.#most * 3 && !this.#target.down) board.spill();
  }

  scanned(stream: string, partition: number, next: bigint): void {
    this.#board.stream(stream).partition(partition).skipTo(next);
  }

  hold(items: number): void {
    this.#most = Math.min(items, this.#policy.maxItems);
  }

  get most(): number {
    return this.#most;
  }

  /** Unfinished events in memory. */
  get waiting(): number {
    return this.#board.waiting;
  }

  /** Those that no attempt has. */
  get untaken(): number {
    return this.#board.waiting - this.#items;
  }

  get room(): number {
    let room = this.#memory();
    for (const places of this.#board.streams.values()) room = Math.min(room, places.room(this.#policy.maxDone));
    return room;
  }

  roomOf(stream: string): number {
    const { lanes, waitingOrdered } = this.#board;
    const room = Math.min(this.#memory(), this.#board.stream(stream).room(this.#policy.maxDone));
    // Ordered streams that stand leave half of the memory to the others.
    return lanes.has(stream) ? Math.max(0, Math.min(room, (this.#most >> 1) - waitingOrdered)) : room;
  }

  #memory(): number {
    const { paused, bytes, waiting } = this.#board;
    return paused || bytes >= this.#policy.maxBytes ? 0 : Math.max(0, this.#most - waiting);
  }

  take(max = 1, perLane = 1, maxBytes = Infinity): Attempt<E> | undefined {
    const board = this.#board;
    if (board.paused) return undefined;
    const now = board.now();
    for (let lane = board.timed.due(now); lane !== undefined; lane = board.timed.due(now)) board.schedule(lane);
    if (!this.#target.mayStart(now)) return undefined;
    const lane = board.ready.peek();
    if (lane === undefined) return undefined;
    board.ready.shift();
    const head = lane.first()!;
    const entries = [head];
    this.#fly(lane, head);
    if (max > 1 && !head.alone && !this.#target.down) this.#fill(lane, entries, max, perLane, maxBytes);
    const before = head.alone ? beforeTry(board, head) : NO_CHANGES;
    const attempt = new Flight(entries, before, this.#target.down);
    this.#target.started();
    this.#attempts++;
    this.#items += entries.length;
    return attempt;
  }

  #fly(lane: Lane<E>, entry: Entry<E>): void {
    entry.flying = true;
    lane.flying++;
    lane.state = FLYING;
  }

  /** More of the lane, then heads of the next lanes that are ready, as far as all of them may be in an attempt of this size. */
  #fill(first: Lane<E>, entries: Entry<E>[], max: number, perLane: number, maxBytes: number): void {
    const { ready } = this.#board;
    let bytes = entries[0]!.bytes;
    let limit = Math.min(max, entries[0]!.cap);
    let lane = first;
    for (;;) {
      let entry = entries.at(-1)!;
      for (let n = 1; n < perLane && entries.length < limit; n++) {
        const next = lane.after(entry);
        if (next === undefined || next.alone || next.finished || next.cap <= entries.length) break;
        bytes += next.bytes;
        if (bytes > maxBytes) return;
        entry = next;
        this.#fly(lane, entry);
        entries.push(entry);
        limit = Math.min(limit, entry.cap);
      }
      const other = entries.length < limit ? this.#board.ready.peek() : undefined;
      const head = other?.first();
      if (other === undefined || head === undefined || head.alone || head.cap <= entries.length) return;
      bytes += head.bytes;
      if (bytes > maxBytes) return;
      ready.shift();
      lane = other;
      this.#fly(lane, head);
      entries.push(head);
      limit = Math.min(limit, head.cap);
    }
  }

  settle(attempt: Attempt<E>, outcome: Outcome, through?: number): Effects {
    const flight = this.#land(attempt);
    const entries = through === undefined ? flight.items : flight.items.slice(0, through);
    let effects: Effects;
    if (outcome.kind === 'delivered') effects = this.#delivered(flight, entries);
    else if (outcome.kind === 'withdrawn') effects = this.#withdrawn(flight, entries, outcome);
    else effects = this.#failed(flight, entries, outcome);
    for (const entry of flight.items) this.#board.schedule(entry.home);
    return effects;
  }

  /** Ends the attempt; what follows for its entries is up to the caller. */
  #land(attempt: Attempt<E>): Flight<E> {
    const flight = attempt as Flight<E>;
    if (flight.ended) throw new Error('the attempt has ended');
    flight.ended = true;
    this.#attempts--;
    this.#items -= flight.items.length;
    for (const entry of flight.items) {
      entry.flying = false;
      entry.home.flying--;
    }
    return flight;
  }

  #delivered(flight: Flight<E>, entries: readonly Entry<E>[]): Effects {
    const up = this.#target.delivered(flight.probe);
    const only = entries[0];
    if (entries.length === 1 && only!.rows === 0 && !up) {
      this.#board.finish(only!, DELIVERED as Gathered<never>);
      return DELIVERED;
    }
    const effects = new Gathered<E>(Array(entries.length).fill('delivered'));
    if (up) effects.alarms.push({ kind: 'target_up' });
    this.#beforeDurable(flight);
    for (const entry of entries) this.#board.finish(entry, effects);
    return this.#board.handOut(effects);
  }

  #beforeDurable(flight: Flight<E>): void {
    if (flight.before.length > 0) this.#board.rowDurable(flight.items[0]!);
  }

  #failed(flight: Flight<E>, entries: readonly Entry<E>[], outcome: FailedOutcome): Effects {
    const board = this.#board;
    const effects = new Gathered<E>(Array(entries.length).fill('failed'));
    this.#beforeDurable(flight);
    if (outcome.kind === 'gone') {
      this.#target.released(flight.probe);
      board.paused = true;
      effects.disable = true;
      effects.alarms.push({ kind: 'gone' });
    } else if (outcome.status === 429) {
      this.#target.throttled(outcome.retryAfterMs, flight.probe, board.now());
      // No try has ended: the event is as it was.
      effects.results.length = 0;
    } else {
      const of = { lane: entries[0]!.lane, subjects: entries.map((e) => e.subject), probe: flight.probe };
      const verdict = this.#target.failed(outcome, entries, of, board.now());
      if (verdict.kind === 'up') effects.alarms.push({ kind: 'target_up' });
      if (verdict.kind !== 'down') this.#blame(entries, outcome, effects);
      else if (verdict.failures !== undefined) {
        for (const failed of verdict.failures) if (failed !== entries) this.#takeBack(failed, verdict.isSure === true);
        effects.alarms.push({ kind: 'target_down', cause: outcome.reason });
      }
    }
    this.#endSkipped(entries, effects);
    return board.handOut(effects);
  }

  #endSkipped(entries: readonly Entry<E>[], effects: Gathered<E>): void {
    for (const [i, entry] of entries.entries())
      if (entry.trouble?.skipped && !entry.finished) {
        this.#board.finish(entry, effects);
        effects.results[i] = 'skipped';
      }
  }

  #withdrawn(
    flight: Flight<E>,
    entries: readonly Entry<E>[],
    outcome: Extract<Outcome, { readonly kind: 'withdrawn' }>,
  ): Effects {
    const effects = new Gathered<E>(Array(entries.length).fill('withdrawn'));
    this.#beforeDurable(flight);
    this.#target.released(flight.probe);
    this.#endSkipped(entries, effects);
    for (const [i, entry] of entries.entries())
      if (entry.trouble?.redrive) effects.results[i] = countFailure(this.#board, entry, outcome, effects);
      else if (!entry.finished) this.#board.finish(entry, effects);
    return this.#board.handOut(effects);
  }

  #blame(entries: readonly Entry<E>[], outcome: FailedOutcome, effects: Gathered<E>): void {
    const [only] = entries;
    if (entries.length > 1) for (const entry of entries) entry.cap = Math.ceil(entries.length / 2);
    else if (only !== undefined && !only.trouble?.skipped)
      effects.results[0] = countFailure(this.#board, only, outcome, effects);
  }

  /** The target was down: the failure says nothing of its event, where that is sure. Rows that have counted it stay, they are only counts. */
  #takeBack(entries: readonly Entry<E>[], isSure: boolean): void {
    for (const entry of entries) {
      if (entry.finished || entry.due === Infinity) continue;
      entry.cap = Infinity;
      entry.due = 0;
      if (isSure && (entry.rows & PARKED) === 0 && entries.length === 1 && entry.tries > 0 && --entry.tries === 0)
        this.#board.failing.delete(entry.home);
      this.#board.schedule(entry.home);
    }
  }

  commit(attempt: Attempt<E>, taken: (item: AttemptItem<E>) => boolean, as: Ended = { kind: 'delivered' }): Effects {
    const flight = attempt as Flight<E>;
    if (flight.ended) throw new Error('the attempt has ended');
    const done: Entry<E>[] = [];
    const rest: Entry<E>[] = [];
    for (const entry of flight.items) (taken(entry) ? done : rest).push(entry);
    if (rest.length === 0) return this.settle(attempt, as);
    const effects = new Gathered<E>(Array(done.length).fill(as.kind));
    this.#beforeDurable(flight);
    flight.items = rest;
    this.#items -= done.length;
    for (const entry of done) {
      entry.flying = false;
      entry.home.flying--;
      this.#board.finish(entry, effects);
      this.#board.schedule(entry.home);
    }
    return this.#board.handOut(effects);
  }

  deliveredBefore(places: readonly Place[]): Effects {
    const effects = new Gathered<E>();
    this.#board.deliveredBefore(places, effects);
    return this.#board.handOut(effects);
  }

  release(attempt: Attempt<E>): void {
    const flight = this.#land(attempt);
    this.#target.released(flight.probe);
    for (const entry of flight.items) {
      if (entry.trouble?.skipped) this.#board.finish(entry, this.#board.pending);
      this.#board.schedule(entry.home);
    }
  }

  holdAll(): Effects {
    const effects = new Gathered<E>();
    this.#board.holdAll(effects);
    return this.#board.handOut(effects);
  }

  pending(): Effects | undefined {
    return this.#board.takePending();
  }

  durable(of: Effects | Attempt<E>): void {
    if (of instanceof Flight) this.#beforeDurable(of as Flight<E>);
    else this.#board.durable(of as Gathered<E>);
  }

  cursor(stream: string): CursorRow {
    // What rows speak for may end before the feed comes to it again, and no room bounds that: forgotten, it would be delivered again.
    return this.#board.stream(stream).row(2 * this.#policy.maxDone);
  }

  moves(stream: string): number {
    return this.#board.stream(stream).moves;
  }

  nextDueMs(): number | undefined {
    const board = this.#board;
    if (board.paused) return undefined;
    const at = board.ready.peek() === undefined ? board.timed.nextAt() : 0;
    const startAt = this.#target.startAt();
    return at === undefined || startAt === undefined ? undefined : Math.max(at, startAt);
  }

  get status(): 'active' | 'waiting' {
    return this.#target.down ? 'waiting' : 'active';
  }

  get paused(): boolean {
    return this.#board.paused;
  }

  pause(): void {
    this.#board.paused = true;
  }

  resume(): void {
    this.#board.paused = false;
  }

  redrive(position: string): boolean {
    const entry = this.#board.parked.get(position) ?? this.#failingHead(position);
    if (entry === undefined) return false;
    entry.trouble!.redrive = true;
    entry.due = 0;
    this.#board.schedule(entry.home);
    return true;
  }

  skip(position: string): Effects | undefined {
    const board = this.#board;
    const entry = board.parked.get(position) ?? this.#failingHead(position);
    if (entry === undefined) return undefined;
    const effects = new Gathered<E>();
    if (entry.flying) entry.trouble!.skipped = true;
    else {
      board.finish(entry, effects);
      board.schedule(entry.home);
    }
    return board.handOut(effects);
  }

  /** The failing head of a stream-ordered lane. */
  #failingHead(position: string): Entry<E> | undefined {
    const head = this.#board.lanes.get(placeOf(position).stream)?.first();
    return head?.position === position && head.tries > 0 ? head : undefined;
  }

  *parked(): IterableIterator<ParkedLane> {
    for (const entry of this.#board.parked.values()) yield { ...entry.trouble!.row!, held: entry.home.kept };
    for (const head of this.#standing()) yield standingRow(this.#board, head);
  }

  parkedAt(position: string): ParkedLane | undefined {
    const entry = this.#board.parked.get(position);
    if (entry !== undefined) return { ...entry.trouble!.row!, held: entry.home.kept };
    for (const head of this.#standing()) if (head.position === position) return standingRow(this.#board, head);
    return undefined;
  }

  /** Heads of stream-ordered lanes that stand: nothing of their streams is delivered before they are (R8.4). */
  *#standing(): IterableIterator<Entry<E>> {
    const { lanes, streams } = this.#board;
    for (const stream of streams.keys()) {
      const head = lanes.get(stream)?.first();
      if (head !== undefined && head.tries > this.#policy.retryMs.length && !head.finished) yield head;
    }
  }

  oldestMs(): number | undefined {
    return this.#board.oldestMs();
  }

  counts(): LaneCounts {
    const { parked, dead, held, waiting, heldInMemory } = this.#board;
    const unfinished = waiting + held - heldInMemory;
    const { window } = this.#target;
    const stands = [...this.#standing()].length;
    const of = { parked: parked.size - dead + stands, dead, held, waiting, unfinished };
    return { attempts: this.#attempts, items: this.#items, ...of, window };
  }
}
