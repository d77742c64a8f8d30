import type { CursorRow, LaneChange, LaneRow } from '../port.js';
import { E500, OK, seeded, UNREACHABLE } from './lanes.fixture.js';
import { Lanes } from './lanes.js';
import { randomLog, STREAMS, type Event } from './model-log.fixture.js';
import type { Attempt, Effects, Outcome } from './types.js';

/** A write on its way: rows become durable one by one, in order. */
interface Write {
  readonly changes: LaneChange[];
  readonly then: (() => void) | undefined;
}
interface Running {
  readonly attempt: Attempt<Event>;
  durable: boolean;
}

const CHANCE = { crash: 0.01, flap: 0.1, dead: 0.05 };

/**
 * One seed: a random log, random outcomes, persons and crashes around `Lanes`, whose writes become durable late. It knows what a receiver got, and throws at the first
 * step that breaks a promise.
 */
export class Model {
  readonly #random: () => number;
  readonly #events: Event[] = [];
  readonly #byPosition = new Map<string, Event>();
  readonly #byLane = new Map<string, Event[]>();
  readonly #ends = new Map<string, bigint>();
  readonly #max: number;
  readonly #perLane: number;
  readonly #policy;
  #time = Date.UTC(2026, 0, 5);
  #downUntil = 0;
  #healed = false;
  #lanes!: Lanes<Event>;
  #feed = new Map<string, bigint>();
  #running: Running[] = [];
  #writes: Write[] = [];
  #told: (() => void)[] = [];
  readonly #rows = new Map<string, LaneRow>();
  readonly #cursors = new Map<string, CursorRow>();
  /** Lanes that were probed since the wait grew. */
  readonly #probed = new Set<string>();
  readonly seen = {
    crashes: 0,
    parked: 0,
    dead: 0,
    skipped: 0,
    repeats: 0,
    down: 0,
    held: 0,
    pauses: 0,
    refusedProbes: 0,
    probedOthers: 0,
  };

  constructor(seed: number) {
    this.#random = seeded(seed);
    const mode = this.#below(3);
    this.#max = [1, 4, 6][mode]!;
    this.#perLane = mode === 2 ? 3 : 1;
    this.#policy = {
      maxItems: 8 + this.#below(16),
      maxDone: 4 + this.#below(12),
      maxHeldOfLane: this.#chance(0.2) ? 4 : 10_000,
      downAttempts: 5,
      probes: mode < 2,
      parkedMs: [30_000, 60_000],
    };
    this.#writeLog();
    this.#begin();
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #chance(p: number): boolean {
    return this.#random() < p;
  }

  #writeLog(): void {
    const { events, ends } = randomLog(this.#random);
    for (const event of events) {
      this.#events.push(event);
      this.#byPosition.set(event.position, event);
      this.#byLane.set(event.lane, [...(this.#byLane.get(event.lane) ?? []), event]);
    }
    for (const [key, end] of ends) this.#ends.set(key, end);
    for (const [stream, partitions] of Object.entries(STREAMS)) {
      const start = Array<bigint>(partitions).fill(0n);
      this.#cursors.set(stream, { topicId: stream, next: start, done: {}, start });
    }
  }

  /** A new owner: it has what was durable, and nothing else. */
  #begin(): void {
    this.#running = [];
    this.#writes = [];
    this.#told = [];
    this.#probed.clear();
    this.#lanes = new Lanes<Event>({
      subscription: 's',
      now: () => this.#time,
      random: this.#random,
      policy: this.#policy,
      rows: [...this.#rows.values()].sort(() => this.#random() - 0.5),
    });
    for (const [stream, row] of this.#cursors) {
      this.#lanes.restore(stream, row);
      for (const [p, next] of row.next.entries()) this.#feed.set(`${stream}/${p}`, next);
    }
    for (const event of this.#events) event.finished = event.ending = false;
    this.#pending();
  }

  #fail(what: string, event?: { readonly position: string }): never {
    throw new Error(event === undefined ? what : `${what}: ${event.position}`);
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.#step();
    this.#drain();
  }

  #step(): void {
    const dice = this.#random();
    if (dice < CHANCE.crash) this.#crash();
    else if (dice < 0.2) this.#read();
    else if (dice < 0.4) this.#start();
    else if (dice < 0.65) this.#end();
    else if (dice < 0.85) this.#write(1 + this.#below(6));
    else if (dice < 0.9) this.#told.shift()?.();
    else if (dice < 0.93) this.#store();
    else if (dice < 0.95) this.#person();
    else this.#wait();
    this.#check();
  }

  #read(): void {
    // A puller comes or goes: more or fewer may be in memory.
    const most = 8 + this.#below(16);
    if (most >= this.#lanes.waiting) this.#lanes.hold(most);
    const places = [...this.#feed.keys()];
    const key = places[this.#below(places.length)]!;
    const [stream, p] = key.split('/') as [string, string];
    let at = this.#feed.get(key)!;
    // Another reader may begin a little earlier.
    if (this.#chance(0.1)) at -= BigInt(Math.min(3, Number(at)));
    const end = at + BigInt(this.#below(12));
    for (; at < end && at < this.#ends.get(key)!; at++) {
      const event = this.#byPosition.get(`${key}/${at}`);
      if (event === undefined) continue;
      if (this.#lanes.roomOf(stream) === 0) break;
      const { partition, offset, lane, subject } = event;
      this.#lanes.offer({ place: { stream, partition, offset }, lane, subject, bytes: 1, event });
    }
    this.#lanes.scanned(stream, Number(p), at);
    if (at > this.#feed.get(key)!) this.#feed.set(key, at);
    this.#pending();
  }

  #start(): void {
    const attempt = this.#lanes.take(this.#max, this.#perLane);
    if (attempt === undefined) return;
    const running: Running = { attempt, durable: attempt.before.length === 0 };
    for (const item of attempt.items) {
      const event = this.#byPosition.get(`${item.place.stream}/${item.place.partition}/${item.place.offset}`)!;
      if (this.#running.some((r) => r.attempt.items.some((i) => i.lane === item.lane)))
        this.#fail('two attempts in flight in a lane', event);
      if (event.finished) this.#fail('an attempt of what has ended', event);
      for (const row of this.#rows.values())
        if (
          row.kind === 'parked' &&
          row.lane === item.lane &&
          this.#byPosition.get(row.position)!.offset < event.offset
        )
          this.#fail('an attempt behind a parked event', event);
    }
    if (attempt.probe !== (this.#lanes.status === 'waiting')) this.#fail('a probe, and the target is not down');
    if (attempt.probe && this.#running.some((r) => r.attempt.probe)) this.#fail('two probes at a time');
    this.#running.push(running);
    if (!running.durable) {
      const then = (): void => {
        running.durable = true;
        if (this.#chance(0.5)) this.#lanes.durable(attempt);
      };
      this.#writes.push({ changes: [...attempt.before], then });
    }
  }

  #outcome(attempt: Attempt<Event>): Outcome {
    if (this.#time < this.#downUntil) return this.#downUntil % 2 === 0 ? UNREACHABLE : E500;
    for (const item of attempt.items) {
      const { poison } = this.#eventOf(item);
      if (poison !== undefined) return poison;
    }
    return !this.#healed && this.#chance(CHANCE.flap) ? E500 : OK;
  }

  #eventOf({ place }: Attempt<Event>['items'][number]): Event {
    return this.#byPosition.get(`${place.stream}/${place.partition}/${place.offset}`)!;
  }

  #received(event: Event): void {
    if (event.closed) this.#fail('delivered again although its end was durable', event);
    if (event.finished) this.#fail('delivered again without a crash', event);
    if (event.delivered++ > 0) this.seen.repeats++;
    else
      for (const earlier of this.#byLane.get(event.lane)!) {
        if (earlier === event) break;
        if (earlier.delivered === 0 && !earlier.skipped) this.#fail(`delivered before ${earlier.position}`, event);
      }
  }

  #checkTry({ items, try: n }: Attempt<Event>): void {
    if (n < 2) return;
    const event = this.#eventOf(items[0]!);
    const retry = this.#rows.get(`s/r/${event.position}`);
    const parked = this.#rows.get(`s/p/${event.position}`);
    const known = Math.max(retry?.kind === 'retry' ? retry.try : 0, parked?.kind === 'parked' ? parked.tries : 0);
    if (known < n) this.#fail(`try ${n} runs and the row says ${known}`, event);
  }

  #end(): void {
    const ready = this.#running.filter((r) => r.durable);
    if (ready.length === 0) return;
    const running = ready[this.#below(ready.length)]!;
    const { attempt } = running;
    const { items } = attempt;
    const remove = (): void => void this.#running.splice(this.#running.indexOf(running), 1);
    if (!this.#healed && this.#chance(0.05)) {
      remove();
      for (const item of items) if (this.#eventOf(item).ending) this.#eventOf(item).finished = true;
      return this.#lanes.release(attempt);
    }
    this.#checkTry(attempt);
    const outcome = this.#outcome(attempt);
    const some = this.#perLane > 1 && outcome.kind === 'delivered' && items.length > 1 && this.#chance(0.5);
    const taken = some ? items.slice(0, this.#below(items.length) + 1) : items;
    if (outcome.kind === 'delivered') for (const item of taken) this.#received(this.#eventOf(item));
    const waiting = this.#lanes.status === 'waiting';
    const goesOn = some && this.#chance(0.5);
    let effects: Effects;
    if (goesOn) effects = this.#lanes.commit(attempt, (item) => taken.includes(item));
    else effects = this.#lanes.settle(attempt, outcome, some ? taken.length : undefined);
    if (!goesOn || attempt.items.length === 0 || taken.length === items.length) remove();
    for (const [i, item] of taken.entries()) {
      const result = effects.results[i];
      if (result === 'delivered' || result === 'skipped') this.#eventOf(item).finished = true;
      if (result === 'skipped') this.#eventOf(item).skipped = true;
      if (result === 'parked') this.seen.parked++;
      if (result === 'dead') this.seen.dead++;
      if (waiting && outcome.kind !== 'refused' && (result === 'parked' || result === 'dead'))
        this.#fail('parked while the target is down');
    }
    if (!goesOn && this.#policy.probes) this.#checkProbe(attempt, outcome, effects);
    if (effects.alarms.some((a) => a.kind === 'target_down')) this.seen.down++;
    this.#hand(effects);
  }

  /** Whoever refuses an event is up; whoever fails for one may take those of another lane, which is tried soon. */
  #checkProbe({ items, probe }: Attempt<Event>, { kind }: Outcome, { alarms }: Effects): void {
    const isDown = this.#lanes.status === 'waiting';
    if (isDown && (kind === 'refused' || kind === 'delivered')) this.#fail(`down although an event was ${kind}`);
    const isNew = alarms.some((a) => a.kind === 'target_down');
    if (!isDown || isNew) this.#probed.clear();
    if (kind === 'refused' && alarms.some((a) => a.kind === 'target_up')) this.seen.refusedProbes++;
    if (!isDown || !(probe || isNew)) return;
    const lane = items[0]?.lane ?? '';
    if (!isNew && kind === 'failed' && !this.#probed.has(lane)) {
      this.seen.probedOthers++;
      const due = this.#lanes.nextDueMs();
      if (due !== undefined && due > this.#time + 1_100) this.#fail(`the next probe waits ${due - this.#time} ms`);
    } else this.#probed.clear();
    this.#probed.add(lane);
  }

  #hand(effects: Effects): void {
    if (effects.pause !== undefined) this.seen.pauses++;
    for (const { row } of effects.changes)
      if (row?.kind === 'parked' && !row.lane.includes('\n')) this.#fail('a stream-ordered lane parked', row);
    const lanes = this.#lanes;
    const then = (): void => void this.#told.push(() => lanes.durable(effects));
    this.#writes.push({ changes: [...effects.changes], then });
    this.#pending();
  }

  #pending(): void {
    const effects = this.#lanes.pending();
    if (effects !== undefined) this.#hand(effects);
  }

  /** The next changes become durable, in order. */
  #write(count: number): void {
    for (let left = count; left >= 0 && this.#writes.length > 0; left--) {
      const [{ changes, then }] = this.#writes as [Write];
      const change = changes.shift();
      if (change?.row !== undefined) this.#rows.set(change.key, change.row);
      else if (change !== undefined) this.#rows.delete(change.key);
      if (change?.row?.kind === 'held') this.seen.held++;
      if (changes.length > 0) continue;
      this.#writes.shift();
      then?.();
    }
  }

  #store(): void {
    for (const stream of Object.keys(STREAMS)) {
      if (this.#chance(0.4)) continue;
      const row = this.#lanes.cursor(stream);
      for (const event of this.#events) if (event.stream === stream) this.#checkPassed(event, row);
      const count = Object.values(row.done).flat().length;
      if (count > 2 * this.#policy.maxDone) this.#fail(`${count} offsets in a cursor row`);
      this.#cursors.set(stream, row);
    }
  }

  #speaksFor(event: Event): boolean {
    return ['p', 'h', 'r'].some((kind) => this.#rows.has(`s/${kind}/${event.position}`));
  }

  #covers(row: CursorRow, event: Event): boolean {
    return event.offset < row.next[event.partition]! || !!row.done[event.partition]?.includes(event.offset);
  }

  #checkPassed(event: Event, row: CursorRow): void {
    if (!this.#covers(row, event) || event.finished || event.closed) return;
    const isHeld = this.#rows.has(`s/h/${event.position}`);
    if (!isHeld && (event.stream === 'o' || !this.#speaksFor(event)))
      this.#fail('the cursor passes an unfinished event', event);
  }

  #person(): void {
    if (this.#lanes.paused) return this.#lanes.resume();
    if (!this.#healed && this.#chance(0.05)) return this.#lanes.pause();
    // The filter changes.
    if (this.#chance(0.1)) return this.#hand(this.#lanes.holdAll());
    const parked = [...this.#lanes.parked()].map((p) => p.position);
    const standing = this.#byLane.get('o')?.find((e) => !e.finished && !e.closed)?.position;
    if (standing !== undefined && this.#chance(0.2)) parked.push(standing);
    const position = parked[this.#below(parked.length)];
    if (position === undefined) return;
    if (this.#chance(0.6)) {
      if (this.#chance(0.5)) this.#byPosition.get(position)!.poison = undefined;
      this.#lanes.redrive(position);
    } else this.#skip(position);
  }

  #skip(position: string): void {
    const event = this.#byPosition.get(position)!;
    const flies = this.#running.some((r) => r.attempt.items.some((i) => this.#eventOf(i) === event));
    const effects = this.#lanes.skip(position);
    if (effects === undefined) return;
    this.seen.skipped++;
    event.skipped = true;
    event.ending = flies;
    event.finished = !flies;
    this.#hand(effects);
  }

  #wait(): void {
    if (!this.#healed && this.#chance(0.1)) this.#downUntil = this.#time + 1 + this.#below(60_000);
    const due = this.#lanes.nextDueMs();
    this.#time = Math.max(this.#time + this.#below(3_000), this.#chance(0.7) && due !== undefined ? due : 0);
  }

  #check(): void {
    const { waiting } = this.#lanes.counts();
    if (waiting > this.#policy.maxItems) this.#fail(`${waiting} events in memory`);
  }

  #crash(): void {
    this.seen.crashes++;
    for (const { attempt, durable } of this.#running)
      if (durable && this.#outcome(attempt).kind === 'delivered' && this.#chance(0.5))
        for (const item of attempt.items) this.#received(this.#eventOf(item));
    for (const event of this.#events) {
      if (!this.#covers(this.#cursors.get(event.stream)!, event) || this.#speaksFor(event)) continue;
      if (event.delivered === 0 && !event.skipped) this.#fail('lost', event);
      event.closed = true;
    }
    this.#begin();
  }

  /** The target is well, persons mend and redrive or skip, every write becomes durable: then everything has ended, once and durably. */
  #drain(): void {
    this.#healed = true;
    this.#downUntil = 0;
    const unfinished = (): Event | undefined => this.#events.find((e) => !e.finished && !e.closed);
    const onTheirWay = (): number => this.#rows.size + this.#writes.length + this.#told.length;
    for (let i = 0; unfinished() !== undefined || onTheirWay() > 0; i++) {
      if (i > 20_000) this.#fail('it does not end', unfinished());
      if (this.#lanes.paused) this.#lanes.resume();
      for (const event of this.#events) if (event.poison !== undefined && this.#chance(0.5)) event.poison = undefined;
      for (const { position, deadAt } of [...this.#lanes.parked()])
        if (this.#chance(CHANCE.dead)) this.#skip(position);
        else if (deadAt !== undefined) this.#lanes.redrive(position);
      this.#read();
      this.#start();
      this.#end();
      this.#write(20);
      while (this.#told.length > 0) this.#told.shift()!();
      this.#wait();
      this.#check();
    }
    for (const event of this.#events)
      if (event.delivered === 0 && !event.skipped) this.#fail('neither delivered nor skipped', event);
    for (let i = 0; i < 20; i++) {
      this.#store();
      this.#read();
    }
    for (const stream of Object.keys(STREAMS)) this.#cursors.set(stream, this.#lanes.cursor(stream));
    this.#crash();
    for (let i = 0; i < 30; i++) {
      this.#read();
      if (this.#lanes.take() !== undefined) this.#fail('an attempt although everything has ended durably');
    }
  }
}
