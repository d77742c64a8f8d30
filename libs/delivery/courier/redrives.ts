import { randomBytes } from 'node:crypto';
import { pause } from '#concurrency';
import { Fault } from '#faults';
import type { RedriveJob, RedriveOrder } from '../desk-port.js';
import type { ParkedLane } from '../lanes/types.js';
import type { RedriveRow } from '../port.js';
import { messageId } from './message-id.js';
import type { Run } from './run.js';

/** Jobs of a subscription that are remembered when they have ended. */
const MOST_ENDED = 20;

export interface RedrivesDeps {
  readonly now: () => number;
  /** Stores the row of a job (undefined: deletes it); true: it is durable. */
  readonly store: (run: Run, job: string, row: RedriveRow | undefined) => Promise<boolean>;
}

interface Job {
  row: RedriveRow;
  left: number;
  readonly ended: Promise<void>;
}

/** The parked events and dead letters that an order takes, in the order of parking. */
export function takenBy(run: Run, { ids, filter, all }: RedriveOrder, lastBefore?: string): readonly ParkedLane[] {
  const wanted = ids === undefined ? undefined : new Set(ids);
  return [...run.lanes.parked()].filter((lane) => {
    if (lastBefore !== undefined && lane.lastAt > lastBefore) return false;
    if (all === true) return true;
    if (wanted !== undefined)
      return wanted.has(lane.position) || wanted.has(messageId(run.subscription, [lane.position]));
    if (filter === undefined) return false;
    const { subject, cause, before } = filter;
    return (
      (subject === undefined || lane.subject === subject) &&
      (cause === undefined || lane.cause === cause) &&
      (before === undefined || lane.since < before)
    );
  });
}

/** Ids that no parked or dead event has. Fault not_found: none of them is there. */
export function unknownOf(run: Run, ids: readonly string[] | undefined): { readonly unknown?: readonly string[] } {
  if (ids === undefined) return {};
  const known = new Set<string>();
  for (const { position } of run.lanes.parked()) known.add(position).add(messageId(run.subscription, [position]));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length === ids.length) throw new Fault('not_found', { detail: unknown.slice(0, 5).join(', ') });
  return unknown.length === 0 ? {} : { unknown };
}

/** Redrives of the subscriptions of a desk: each tries what it takes one after the other, at its rate; a later owner goes on with it. */
export class Redrives {
  readonly #deps: RedrivesDeps;
  /** By run and job. */
  readonly #jobs = new Map<string, Map<string, Job>>();
  readonly #stop = new AbortController();

  constructor(deps: RedrivesDeps) {
    this.#deps = deps;
  }

  /** Begins a job, which is durable when this resolves. undefined: the partition was lost meanwhile. */
  async begin(run: Run, order: RedriveOrder): Promise<{ readonly job: string; readonly count: number } | undefined> {
    const job = `rd_${randomBytes(9).toString('base64url')}`;
    const count = takenBy(run, order).length;
    const startedAt = new Date(this.#deps.now()).toISOString();
    const row: RedriveRow = { kind: 'redrive', job, order, startedAt, state: 'running', done: 0, failed: 0 };
    if (!(await this.#deps.store(run, job, row))) return undefined;
    this.#go(run, row);
    return { job, count };
  }

  /** Jobs of an earlier owner: those that run go on with what they have not tried. */
  resume(run: Run, rows: Iterable<RedriveRow>): void {
    for (const row of rows) this.#go(run, row);
  }

  of(run: Run, job: string): RedriveJob | undefined {
    const found = this.#jobs.get(run.subscription.id)?.get(job);
    if (found === undefined) return undefined;
    return jobOf(found);
  }

  /** The newest first. */
  all(run: Run): readonly RedriveJob[] {
    const jobs = [...(this.#jobs.get(run.subscription.id)?.values() ?? [])].map(jobOf);
    return jobs.sort((a, b) => (a.startedAt > b.startedAt ? -1 : 1));
  }

  #go(run: Run, row: RedriveRow): void {
    const { id } = run.subscription;
    let jobs = this.#jobs.get(id);
    if (jobs === undefined) this.#jobs.set(id, (jobs = new Map<string, Job>()));
    const job: Job = { row, left: 0, ended: Promise.resolve() };
    jobs.set(row.job, job);
    if (row.state === 'running') Object.assign(job, { ended: this.#run(run, job) });
  }

  async #run(run: Run, job: Job): Promise<void> {
    const { signal } = this.#stop;
    const { order, startedAt } = job.row;
    // What was tried after the job had begun is not tried by it again.
    const taken = takenBy(run, order, startedAt);
    job.left = taken.length;
    const everyMs = 1_000 / order.rate;
    for (const { position } of taken) {
      const began = this.#deps.now();
      const result = await run.redrive(
        position,
        order.edited === undefined ? undefined : { job: job.row.job, data: order.edited },
      );
      if (signal.aborted || result === 'stopped') return;
      job.left--;
      if (result === 'delivered') job.row = { ...job.row, done: job.row.done + 1 };
      else if (result !== undefined) job.row = { ...job.row, failed: job.row.failed + 1 };
      await pause(Math.max(0, everyMs - (this.#deps.now() - began)), signal);
      if (signal.aborted) return;
    }
    // Data of persons is not kept for longer than it is needed.
    const { edited: _edited, ...rest } = order;
    job.row = { ...job.row, order: rest, state: 'done' };
    await this.#deps.store(run, job.row.job, job.row);
    await this.#forgetOldest(run);
  }

  async #forgetOldest(run: Run): Promise<void> {
    const jobs = this.#jobs.get(run.subscription.id)!;
    const ended = [...jobs.values()].filter(({ row }) => row.state === 'done');
    ended.sort((a, b) => (a.row.startedAt < b.row.startedAt ? -1 : 1));
    for (const { row } of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) {
      jobs.delete(row.job);
      await this.#deps.store(run, row.job, undefined);
    }
  }

  /** Ends the jobs; a later owner goes on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const jobs of this.#jobs.values()) for (const { ended } of jobs.values()) await ended.catch(() => undefined);
  }
}

function jobOf({ row: { job, state, done, failed, startedAt, order }, left }: Job): RedriveJob {
  return { job, state, done, failed, left, startedAt, why: order.why };
}
