import { slowness } from '../slowness.js';
import { standsStill } from '../stands-still.js';
import type { Deployment } from '../deployment.js';
import { asSupervised, type Fleet } from './fleet.js';
import { claimsIn, movesIn, staleSends } from './ownership.js';
import { until } from './until.js';

/** So many times slower than alone, a courier has no time to let its attempts end. */
const SLOW = 2;

export type Blow = 'SIGKILL' | 'SIGSTOP' | 'SIGTERM';

/** Couriers of a fleet on Kafka that are struck, and come back. */
export class Couriers {
  readonly #fleet: Fleet;
  readonly #names: readonly string[];
  /** Of processes that ended in order. */
  readonly #ended = new Set<number>();
  #slowest = 1;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#names = [...fleet.apps.keys()].filter((name) => /^hub$|^courier-/.test(name));
  }

  /** Resolves when each of the couriers has begun an attempt from now on. */
  async allDeliver(): Promise<void> {
    const from = Date.now();
    const missing = (): readonly string[] => {
      const ports = new Set(this.#fleet.sends.filter(({ at }) => at >= from).map(({ port }) => port));
      return this.#names.filter((name) => !ports.has(this.#port(name)));
    };
    await until(
      'each courier delivers',
      () => missing().length === 0,
      60_000,
      () => missing().join(),
    );
  }

  /** Resolves when every subscription has begun an attempt after `from` at a courier other than these; with how long after it the last one did. */
  async takenOver(from: number, gone: readonly string[] = []): Promise<number> {
    const ports = new Set(gone.map((name) => this.#port(name)));
    const first = new Map<string, number>();
    const subscriptions = [...this.#fleet.targets.values()].map(({ subscription }) => subscription);
    const missing = (): readonly string[] => subscriptions.filter((id) => !first.has(id));
    await until(
      'every subscription is delivered to',
      () => {
        for (const { at, port, subscription } of this.#fleet.sends)
          if (at > from && !ports.has(port) && !first.has(subscription)) first.set(subscription, at);
        return missing().length === 0;
      },
      60_000,
      () => missing().join(),
    );
    return Math.max(...first.values()) - from;
  }

  /** Strikes couriers at the same time; resolves with how long the others needed for all subscriptions, in ms, and what brings the struck ones back. */
  async strike(
    blows: ReadonlyMap<string, Blow>,
    slow = slowness(),
  ): Promise<{ readonly ms: number; readonly slow: number; back(): Promise<void> }> {
    this.#slowest = Math.max(this.#slowest, slow);
    const from = Date.now();
    const ending: Promise<unknown>[] = [];
    for (const [name, blow] of blows) {
      const app = this.#app(name);
      if (blow === 'SIGTERM' && slow < SLOW) this.#ended.add(app.pid);
      if (blow === 'SIGSTOP') {
        process.kill(app.pid, 'SIGSTOP');
        ending.push(standsStill(app.pid));
      } else ending.push(app.stop(blow));
      if (blow !== 'SIGTERM')
        this.#fleet.faults.push({ what: `${name} ${blow}`, from, until: from + 500 * slow, beforeMs: 1_000 * slow });
    }
    const ms = await this.takenOver(from, [...blows.keys()]);
    await Promise.all(ending);
    return {
      ms,
      slow,
      back: async () => {
        for (const [name, blow] of blows)
          if (blow === 'SIGSTOP') process.kill(this.#app(name).pid, 'SIGCONT');
          else await asSupervised(() => this.#app(name).start());
        await this.allDeliver();
      },
    };
  }

  /** What R8.7 allows where subscriptions went from one courier to another goes to the faults of the fleet. Call it once, when nothing is delivered any more. */
  async tellMoves(brokers: readonly string[], prefix: string): Promise<void> {
    const names = new Map([...this.#fleet.targets].map(([name, { subscription }]) => [subscription, name]));
    this.#fleet.faults.push(
      ...movesIn(this.#fleet.sends, await claimsIn(brokers, prefix), names, this.#ended, this.#slowest),
    );
  }

  /** Who began attempts of these events when, for the message of a failure. `lines`: of the judge. */
  historyOf(lines: readonly string[]): string {
    const names = new Map([...this.#fleet.targets].map(([name, { subscription }]) => [subscription, name]));
    const told = this.#fleet.sends.flatMap(({ subscription, positions, pid, port, at }) =>
      positions
        .filter((position) => lines.some((line) => line.startsWith(`${names.get(subscription)!}: ${position} `)))
        .map((position) => `${at} ${names.get(subscription)!} ${position} by ${pid} at ${port}`),
    );
    return [...lines, ...told, ...this.#fleet.faults.map((fault) => JSON.stringify(fault))].join('\n');
  }

  /** Attempts of a courier that was not the owner any more. */
  async stale(brokers: readonly string[], prefix: string): Promise<readonly string[]> {
    return staleSends(this.#fleet.sends, await claimsIn(brokers, prefix));
  }

  /** Lets those that stand still go on: they could not be closed else. */
  wake(): void {
    for (const name of this.#names) {
      const { pid } = this.#app(name);
      if (pid !== 0) process.kill(pid, 'SIGCONT');
    }
  }

  #app(name: string): Deployment {
    return this.#fleet.apps.get(name)!;
  }

  #port(name: string): number {
    return Number(new URL(this.#app(name).url).port);
  }
}
