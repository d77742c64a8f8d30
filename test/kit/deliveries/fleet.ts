import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#concurrency';
import { connect, createPublisher, createReader, type Connection } from '#sdk';
import { freePort } from '../../../deploy/local/free-port.js';
import { deploy, type Deployment } from '../deployment.js';
import { occupancy } from '../occupancy.js';
import { slowness } from '../slowness.js';
import { startReceiver, type ReceiverProcess } from '../receiver/process.js';
import type { Rule } from '../receiver/script.js';
import { arrivalsIn, sendsIn, type ToldSend } from './history.js';
import { judgeDeliveries, type Arrival, type Due, type Fault, type Standing, type Verdict } from './judge.js';
import { KillSteps } from './kill-steps.js';
import { until } from './until.js';

const TOLD_HUB = new URL('./told-hub.mjs', import.meta.url.replace('/dist/test/', '/test/')).href;
const TYPE = 'pas.hunian.dilaporkan';
/** May read the whole of every report. */
const READER = 'SU00006';
export const PRISONS = ['SU00518', 'SU00300', 'SU00310', 'SU00320'];
const DAYS = 5;
/** A courier that lost its session joins again, and writes how far it is. */
const COURIERS_BACK_MS = 15_000;
/** Days are numbered from 15 July 2021. */
const dateOf = (day: number): string => new Date(Date.UTC(2021, 6, 15 + day)).toISOString().slice(0, 10);
export const subjectOf = (unit: string, day: number): string => `${unit}:${dateOf(day)}`;

export interface FleetOptions {
  /** Settings of the Kafka engine (brokers, prefix, Redis); none: one embedded hub process. */
  readonly kafka?: Readonly<Record<string, string>>;
  /** @default 2 on Kafka */
  readonly couriers?: number;
  /** Gateway, projector and one more courier are one process, `hub`. */
  readonly together?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}

/** What a receiver does. */
export interface ReceiverPlan {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** Of every answer, as the rules have it. */
  readonly delayMs?: number;
}

interface Target {
  readonly plan: ReceiverPlan;
  readonly process: ReceiverProcess;
  readonly history: string;
  readonly subscription: string;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;

/** Hub processes as they are built, with receivers as processes; what was acknowledged, what came in and what was done to them is kept for the judge. */
export class Fleet {
  readonly due: Due[] = [];
  readonly faults: Fault[] = [];
  readonly targets = new Map<string, Target>();
  readonly apps = new Map<string, Deployment>();
  readonly dir = mkdtempSync(join(tmpdir(), 'simpul-fleet-'));
  readonly steps = new KillSteps(join(this.dir, 'kill'));
  readonly #options: FleetOptions;
  readonly #keys = new Map<string, string>();
  #connection!: Connection;
  #publishing = new AbortController();
  #flows: Promise<void>[] = [];
  #number = 0;

  private constructor(options: FleetOptions) {
    this.#options = options;
  }

  static async open(options: FleetOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(options);
    try {
      await fleet.#open();
    } catch (cause) {
      await fleet.close();
      throw cause;
    }
    return fleet;
  }

  async #open(): Promise<void> {
    const { kafka, couriers = 2, together = kafka === undefined, settings } = this.#options;
    const common: Record<string, string> = {
      SIMPUL_WEBHOOK_ALLOW: '127.0.0.0/8',
      SIMPUL_DELIVERY_RETRIES: '0.1,0.2',
      SIMPUL_DELIVERY_SCHEDULE: '0.3,0.6',
      NODE_OPTIONS: `--import ${TOLD_HUB}`,
      TOLD_SENDS: this.sendsFile,
      TOLD_KILL: this.steps.file,
      ...kafka,
      ...settings,
    };
    const start = async (name: string, app: string): Promise<void> => {
      const port = String(await freePort());
      const first = [...this.apps.values()][0];
      const keyFile = first === undefined ? {} : { SIMPUL_PSEUDONYM_KEY_FILE: join(first.dir, 'pseudonym.key') };
      // The same at each try: the first one may have made the keys of the deployment already.
      const data = join(this.dir, `${name}.data`);
      const settings = { SIMPUL_DATA: data, ...common, SIMPUL_PORT: port, ...keyFile };
      this.apps.set(name, await asSupervised(() => deploy(settings, `apps/${app}/src/main.js`)));
    };
    if (together) await start('hub', 'hub');
    else {
      await start('gateway', 'gateway');
      await start('projector', 'projector');
    }
    if (kafka !== undefined) for (let n = 1; n <= couriers; n++) await start(`courier-${n}`, 'courier');
    this.#connection = connect({ url: this.door.url, retry: { firstMs: 20, maxMs: 300 } });
    for (const unit of PRISONS) this.#keys.set(unit, await this.door.key(unit, 'sdp', ['publisher', 'reader']));
    this.#keys.set(READER, await this.door.key(READER, 'uji', ['reader']));
    await this.ready();
  }

  /** Each attempt, before it began. */
  get sendsFile(): string {
    return join(this.dir, 'sends');
  }

  get sends(): readonly ToldSend[] {
    return sendsIn(this.sendsFile);
  }

  /** Of a prison, or of the unit that owns the subscriptions. */
  key(unit: string): string {
    return this.#keys.get(unit)!;
  }

  /** The process that answers requests of units. */
  get door(): Deployment {
    return this.apps.get('hub') ?? this.apps.get('gateway')!;
  }

  async ready(): Promise<void> {
    for (const app of this.apps.values())
      await until('every process is ready', async () => (await fetch(`${app.url}/health/ready`)).ok);
  }

  /** One request of the unit that owns the subscriptions; it is made again while a process is away. */
  async ask(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: Body }> {
    let got: { status: number; body: Body } = { status: 0, body: {} };
    await until(`${method} ${path} is answered`, async () => {
      const answer = await fetch(this.door.url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#keys.get(READER)}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      got = { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Body) };
      return answer.status < 500;
    });
    return got;
  }

  /** Starts a receiver, or takes that of another target (`of`), and makes a subscription to it. */
  async subscribe(plan: ReceiverPlan, target: object = {}, of?: string): Promise<Target> {
    const history = join(this.dir, `${of ?? plan.name}.received`);
    const process =
      this.targets.get(of ?? '')?.process ?? (await startReceiver({ history, rules: plan.rules, seed: 7 }));
    const spec = {
      name: plan.name,
      types: [TYPE],
      start: 'earliest',
      target: { kind: 'webhook', url: process.url, ...target },
    };
    let made = await this.ask('POST', '/v1/subscriptions', spec);
    // A request whose answer was lost may have made it.
    if (made.status === 409)
      made = {
        status: 201,
        body: (await this.ask('GET', '/v1/subscriptions')).body['subscriptions'].find(
          (s: Body) => s['name'] === plan.name,
        ) as Body,
      };
    if (made.status !== 201) throw new Error(`subscribe: ${made.status} ${JSON.stringify(made.body)}`);
    const subscription = made.body['id'] as string;
    const added = { plan, process, history, subscription };
    this.targets.set(plan.name, added);
    return added;
  }

  /** One event, acknowledged; sent again until it is. */
  async publish(unit: string, day: number): Promise<Due> {
    const n = this.#number++;
    const data = occupancy(unit, dateOf(day), n, new Date(Date.UTC(2022, 6, 20) + n * 1_000).toISOString());
    const publisher = createPublisher({
      connection: this.#connection,
      key: this.#keys.get(unit)!,
      owner: unit,
      system: 'sdp',
    });
    const event = publisher.prepare({ type: TYPE, data, orderingKey: `${unit}:${day}` });
    const { position } = await publisher.publish(event);
    const due = { id: event.id, source: event.source, subject: subjectOf(unit, day), position };
    this.due.push(due);
    return due;
  }

  /** Every prison publishes for its days in turn, with a pause between two events, until quiet(). */
  begin(pauseMs = 30): void {
    this.#publishing = new AbortController();
    const { signal } = this.#publishing;
    this.#flows = PRISONS.map(async (unit) => {
      for (let n = 0; !signal.aborted; n++) {
        await this.publish(unit, n % DAYS);
        await pause(pauseMs);
      }
    });
  }

  async quiet(): Promise<void> {
    this.#publishing.abort();
    await Promise.all(this.#flows.splice(0));
  }

  /** Resolves once some twenty attempts have begun from now on. */
  async flows(): Promise<void> {
    const size = (): number => (existsSync(this.sendsFile) ? statSync(this.sendsFile).size : 0);
    const from = size();
    await until('events are delivered', () => size() >= from + 4_000);
  }

  /** kill -9 of an app or a receiver, and its start. */
  async kill(name: string): Promise<void> {
    const target = this.targets.get(name);
    // The last second of R8.7 is one of a machine that does nothing else.
    const slow = slowness();
    const from = Date.now();
    if (target === undefined) {
      const app = this.apps.get(name)!;
      await app.stop('SIGKILL');
      this.faults.push({ what: name, from, until: Date.now(), beforeMs: /hub|courier/.test(name) ? 1_000 * slow : 0 });
      await asSupervised(() => app.start());
    } else {
      await target.process.kill();
      this.faults.push({ what: name, receiver: name, from, until: Date.now(), beforeMs: target.plan.delayMs ?? 0 });
      await target.process.start();
    }
  }

  /** A time without the log: what ended in it, or shortly before, may come again until every courier has written what it holds. */
  async withoutLog(what: string, work: () => Promise<void>): Promise<void> {
    const from = Date.now();
    await work();
    await this.ready();
    this.faults.push({ what, from, until: Date.now() + COURIERS_BACK_MS, beforeMs: 1_000 });
  }

  async standing(name: string): Promise<Body> {
    return (await this.ask('GET', `/v1/subscriptions/${this.targets.get(name)!.subscription}`)).body;
  }

  /** Resolves when everything is delivered but what a dead letter holds back, and no hub process does anything more. Else fails with what the judge says. */
  async settled(ms = 60_000): Promise<void> {
    let verdict: Verdict | undefined;
    await until(
      'all is delivered or stands',
      async () => {
        await pause(100);
        verdict = await this.judge();
        if (verdict.missing.length > 0) return false;
        for (const name of this.targets.keys()) {
          const { inFlight, parked, held, lag } = await this.standing(name);
          if (inFlight !== 0 || parked !== 0 || lag.events !== held) return false;
        }
        return true;
      },
      ms,
      async () => {
        const standings = await Promise.all([...this.targets.keys()].map((name) => this.standing(name)));
        return JSON.stringify([
          { ...verdict, missing: verdict?.missing.slice(0, 10), count: verdict?.missing.length },
          ...standings.map(({ name, status, lag, inFlight, parked, dead, held }) => ({
            name,
            status,
            lag,
            inFlight,
            parked,
            dead,
            held,
          })),
        ]);
      },
    );
  }

  /** Receivers take everything from now on, and what stands is redriven until nothing does. */
  async mend(ms?: number): Promise<void> {
    for (const { process } of this.targets.values()) await process.rules([]);
    for (const [name, { subscription }] of this.targets)
      await until(
        `nothing stands at ${name}`,
        async () => {
          const standing = await this.standing(name);
          if (standing['parked'] === 0 && standing['dead'] === 0 && standing['held'] === 0) return true;
          await this.ask('POST', `/v1/subscriptions/${subscription}/redrive`, {
            all: true,
            rate: 1_000,
            why: 'diperbaiki',
          });
          await pause(200);
          return false;
        },
        ms,
      );
    await this.settled(ms);
  }

  /** What came in at a receiver. */
  arrivalsOf(name: string): readonly Arrival[] {
    const { history, plan, subscription } = this.targets.get(name)!;
    return arrivalsIn(history, name, subscription, plan.delayMs);
  }

  async judge(): Promise<Verdict> {
    const standing = new Map<string, Standing>();
    const arrivals = [...this.targets.keys()].flatMap((name) => this.arrivalsOf(name));
    for (const [name, { subscription }] of this.targets) {
      const { body } = await this.ask('GET', `/v1/subscriptions/${subscription}/dead-letters?limit=1000`);
      const parked = await this.ask('GET', `/v1/subscriptions/${subscription}/parked?limit=1000`);
      standing.set(name, {
        stands: [...(body['deadLetters'] as Standing['stands']), ...(parked.body['parked'] as Standing['stands'])],
      });
    }
    await this.#correct(arrivals);
    return judgeDeliveries(this.due, arrivals, this.faults, standing);
  }

  /** An event that was sent again after a kill may have the receipt of a copy (R2.2). The hub says where the event is. */
  async #correct(arrivals: readonly Arrival[]): Promise<void> {
    const came = new Map(arrivals.map((a) => [`${a.source} ${a.id}`, a.position]));
    for (const [n, due] of this.due.entries()) {
      const position = came.get(`${due.source} ${due.id}`);
      if (position === undefined || position === due.position) continue;
      const key = this.#keys.get(due.source.split(':')[3]!)!;
      const receipt = await createReader({ connection: this.#connection, key }).receipt(due.source, due.id);
      this.due[n] = { ...due, position: receipt?.position ?? due.position };
    }
  }

  /** Does work, and starts an app again if it is killed at an armed step meanwhile. A run may have fewer steps than the one before, so it may live. */
  async survive(name: string, work: () => Promise<void>): Promise<void> {
    const app = this.apps.get(name)!;
    const done = work().then(() => 'done' as const);
    const first = await Promise.race([done, app.ended.then(() => Date.now())]);
    this.steps.disarm();
    if (first === 'done') return;
    await app.stop('SIGKILL');
    this.faults.push({ what: name, from: first, until: first, beforeMs: 1_000 });
    await asSupervised(() => app.start());
    await done;
  }

  /** Positions with an attempt that is recorded as delivered. */
  async recorded(name: string): Promise<ReadonlySet<string>> {
    const positions = new Set<string>();
    const path = `/v1/subscriptions/${this.targets.get(name)!.subscription}/deliveries?state=delivered&limit=500`;
    for (let cursor = ''; ;) {
      const { body } = await this.ask('GET', path + cursor);
      for (const { position } of body['deliveries'] as { position: string }[]) positions.add(position);
      if (body['next'] === null || body['next'] === undefined) return positions;
      cursor = `&cursor=${encodeURIComponent(body['next'] as string)}`;
    }
  }

  async close(): Promise<void> {
    this.#publishing.abort();
    await Promise.allSettled([...this.targets.values()].map(({ process }) => process.close()));
    // The first one has the keys of all.
    for (const app of [...this.apps.values()].reverse()) await app.close().catch(() => undefined);
    await this.#connection?.close();
    await Promise.allSettled(this.#flows);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Starts a process as a supervisor does: again, when it ends because a service that it needs did not answer. */
export async function asSupervised<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await start();
    } catch (cause) {
      if (tries === 10) throw cause;
    }
}
