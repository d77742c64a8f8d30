import {
  createPublisher,
  createReader,
  isSdkFault,
  type Connection,
  type Outcome,
  type Publisher,
  type Reader,
  type Step,
  type UnitRow,
} from '#sdk';
import type { Chance } from './chance.js';
import type { DayClock } from './clock.js';
import type { History } from './history.js';
import type { OwnKey } from './keys.js';
import type { Tally } from './tally.js';

/** What an office says: a type, its data, and the clear subject whose order counts. */
export interface Told {
  readonly type: string;
  readonly lane: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Simulated instant. @default now */
  readonly at?: number;
  /** Case or process over units. */
  readonly korelasi?: string;
}

export interface OfficeDeps {
  readonly connection: Connection;
  readonly clock: DayClock;
  readonly chance: Chance;
  readonly history: History;
  readonly tally: Tally;
  readonly sequences?: Readonly<Record<string, number>>;
}

/** Share of single sends that are sent twice (a nervous operator, a proxy that repeats). */
const TWICE = 0.02;

/** The system of one unit: it knows the hub's address and its own key, nothing else. */
export class Office {
  readonly owner: string;
  readonly system: string;
  /** Undefined for a party outside the ministry. */
  readonly unit: UnitRow | undefined;
  readonly name: string;
  readonly key: string;
  readonly publisher: Publisher;
  readonly reader: Reader;
  readonly chance: Chance;
  readonly connection: Connection;
  readonly #deps: OfficeDeps;
  readonly #seen = new Set<string>();
  #work = 0;

  constructor(own: OwnKey, unit: UnitRow | undefined, deps: OfficeDeps) {
    this.owner = own.unit;
    this.system = own.system;
    this.unit = unit;
    this.name = unit?.shortName ?? unit?.name ?? own.unit;
    this.key = own.key;
    this.chance = deps.chance;
    this.connection = deps.connection;
    this.#deps = deps;
    this.publisher = createPublisher({
      connection: deps.connection,
      key: own.key,
      owner: own.unit,
      system: own.system,
      random: () => deps.chance.next(),
      now: () => deps.clock.now(),
      ...(deps.sequences === undefined ? {} : { sequences: deps.sequences }),
      onStep: (step) => this.#step(step),
    });
    this.reader = createReader({ connection: deps.connection, key: own.key });
  }

  /** Work under way that will still lead to events. */
  get busy(): boolean {
    return this.#work > 0 || this.publisher.pending > 0;
  }

  /** Publishes a fact and waits for its receipt; undefined: refused, which is counted and shown. */
  async tell(told: Told): Promise<string | undefined> {
    this.#begin();
    try {
      const event = this.publisher.prepare(this.#event(told));
      const twice = this.chance.some(TWICE);
      const again = (): Promise<unknown> =>
        this.publisher.publish({ ...event, lane: `${told.lane}#2` }).catch((e: unknown) => e);
      const side = twice && this.chance.some(0.5) ? again() : undefined;
      const receipt = await this.publisher.publish(event);
      if (side !== undefined) await side;
      else if (twice) await again();
      return receipt.position;
    } catch (e) {
      if (isSdkFault(e)) return undefined;
      throw e;
    } finally {
      this.#end();
    }
  }

  async tellMany(told: readonly Told[]): Promise<Outcome[]> {
    this.#begin();
    try {
      return await this.publisher.publishBatch(told.map((t) => this.#event(t)));
    } finally {
      this.#end();
    }
  }

  #begin(): void {
    this.#work++;
    this.#deps.tally.open++;
  }

  #end(): void {
    this.#work--;
    this.#deps.tally.open--;
  }

  #event(t: Told): {
    type: string;
    time: string;
    lane: string;
    data: Told['data'];
    extensions: Record<string, string>;
  } {
    return {
      type: t.type,
      time: new Date(t.at ?? this.#deps.clock.now()).toISOString(),
      lane: t.lane,
      data: t.data,
      extensions: t.korelasi === undefined ? {} : { korelasi: t.korelasi },
    };
  }

  #step(step: Step): void {
    this.#deps.history.step(`${this.system}@${this.owner}`, step);
    const { tally } = this.#deps;
    if (step.kind === 'ok' && !this.#seen.has(step.event.id)) {
      this.#seen.add(step.event.id);
      tally.accepted++;
      if (this.unit !== undefined) tally.units.add(this.owner);
    } else if (step.kind === 'fail') {
      tally.refused++;
      tally.fact(`refused ${this.owner}`, this.#deps.clock.label(), ...refusal(this, step.fault));
    } else if (step.kind === 'info') tally.unknown++;
  }
}

function refusal(
  office: Office,
  fault: { code: string; problem: { errors?: readonly { pointer?: string; reason?: string }[] } },
): [string, string] {
  const e = fault.problem.errors?.[0];
  const text = `✗ ${office.system}@${office.name}: ${e?.pointer ?? fault.code} ${e?.reason ?? ''}`.trimEnd();
  return [text, text];
}
