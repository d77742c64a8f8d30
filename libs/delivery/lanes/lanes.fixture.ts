import type { LaneChange, LaneRow } from '../port.js';
import { Lanes } from './lanes.js';
import { laneOf, type Attempt, type Effects, type Outcome, type Policy } from './types.js';

export const OK: Outcome = { kind: 'delivered' };
export const E500: Outcome = { kind: 'failed', status: 500, reason: 'status' };
export const REFUSED: Outcome = { kind: 'refused', status: 422, reason: 'status' };
export const UNREACHABLE: Outcome = { kind: 'unreachable', reason: 'connect' };

/** Pseudo-random numbers from 0 to below 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Lanes with a clock that stands, no jitter, and a table of rows that are durable at once. */
export class Bench {
  time = Date.UTC(2026, 0, 5);
  readonly rows = new Map<string, LaneRow>();
  readonly lanes: Lanes<string>;
  #offset = 0n;

  constructor(policy: Partial<Policy> = {}, rows?: Iterable<LaneRow>) {
    const now = (): number => this.time;
    this.lanes = new Lanes({ subscription: 's', now, random: () => 0.5, policy, ...(rows && { rows }) });
    for (const row of rows ?? []) this.rows.set(`s/${row.kind[0]!}/${row.position}`, row);
    this.lanes.restore('a', { topicId: 't', next: [0n], done: {}, start: [0n] });
  }

  /** Offers an event of the subject in partition 0 of stream `a`; its position. */
  offer(subject: string, offset = this.#offset, ordered = false): string {
    this.#offset = offset + 1n;
    const lane = ordered ? laneOf('a') : laneOf('a', subject);
    this.lanes.offer({ place: { stream: 'a', partition: 0, offset }, lane, subject, bytes: 1, event: `a/0/${offset}` });
    this.flush();
    return `a/0/${offset}`;
  }

  write(changes: readonly LaneChange[]): void {
    for (const { key, row } of changes)
      if (row === undefined) this.rows.delete(key);
      else this.rows.set(key, row);
  }

  apply(effects: Effects): Effects {
    this.write(effects.changes);
    this.lanes.durable(effects);
    return effects;
  }

  flush(): void {
    const effects = this.lanes.pending();
    if (effects !== undefined) this.apply(effects);
  }

  take(max?: number, perLane?: number): Attempt<string> | undefined {
    const attempt = this.lanes.take(max, perLane);
    if (attempt !== undefined) this.write(attempt.before);
    return attempt;
  }

  settle(attempt: Attempt<string>, outcome: Outcome, through?: number): Effects {
    const effects = this.apply(this.lanes.settle(attempt, outcome, through));
    this.flush();
    return effects;
  }

  /** Takes everything that may start now, with this outcome; offsets in the order of the attempts. */
  run(outcome: (offset: number) => Outcome): number[] {
    const out: number[] = [];
    for (let a = this.take(); a !== undefined; a = this.take()) {
      const offset = Number(a.items[0]!.place.offset);
      out.push(offset);
      this.settle(a, outcome(offset));
    }
    return out;
  }

  next(): bigint {
    return this.lanes.cursor('a').next[0]!;
  }
}

export function places(attempt: Attempt<string> | undefined): number[] | undefined {
  return attempt?.items.map((i) => Number(i.place.offset));
}
