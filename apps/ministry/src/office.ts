import {
  createPublisher,
  createReader,
  isSdkFault,
  type Connection,
  type EventToken,
  type NewEvent,
  type Outcome,
  type Publisher,
  type Reader,
  type Step,
  type ToPublish,
  type UnitRow,
} from '#sdk';
import type { Random } from './random.js';
import type { DayClock } from './clock.js';
import type { History } from './history.js';
import type { OwnKey } from './keys.js';
import type { Tally } from './tally.js';

/** An event that an office publishes. */
export interface OutgoingEvent {
  readonly type: string;
  /** Events with the same ordering key are published one after another (order per subject). */
  readonly orderingKey: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Simulated time, ms since 1970. @default now */
  readonly at?: number;
  /** Correlation id of a case or process that several units work on. */
  readonly korelasi?: string;
}

/** An event whose data the compiler checks. */
export const outgoing = <T extends object>(
  { type }: EventToken<T>,
  event: Omit<OutgoingEvent, 'type' | 'data'> & { readonly data: ToPublish<NoInfer<T>> },
): OutgoingEvent => ({ ...event, type, data: event.data as Readonly<Record<string, unknown>> });

export interface OfficeDeps {
  readonly connection: Connection;
  readonly clock: DayClock;
  readonly random: Random;
  readonly history: History;
  readonly tally: Tally;
  readonly sequences?: Readonly<Record<string, number>>;
}

/** Share of single events that are sent a second time with the same id, as an impatient user or a proxy does. The hub must answer `duplicate`. */
const RESEND_SHARE = 0.02;

/** The system of one unit. It knows the address of the hub and its own key, nothing else. */
export class Office {
  readonly owner: string;
  readonly system: string;
  /** Undefined for a party outside the ministry. */
  readonly unit: UnitRow | undefined;
  readonly name: string;
  readonly key: string;
  readonly publisher: Publisher;
  readonly reader: Reader;
  readonly random: Random;
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
    this.random = deps.random;
    this.connection = deps.connection;
    this.#deps = deps;
    this.publisher = createPublisher({
      connection: deps.connection,
      key: own.key,
      owner: own.unit,
      system: own.system,
      random: () => deps.random.next(),
      now: () => deps.clock.now(),
      ...(deps.sequences === undefined ? {} : { sequences: deps.sequences }),
      report: { step: (step) => this.#step(step) },
    });
    this.reader = createReader({ connection: deps.connection, key: own.key });
  }

  /** True while a request has no outcome yet. */
  get busy(): boolean {
    return this.#work > 0 || this.publisher.pending > 0;
  }

  /** Publishes one event and waits for its receipt. Returns its position; undefined when the hub refused it, which is counted and shown. */
  async publish(event: OutgoingEvent): Promise<string | undefined> {
    this.#begin();
    try {
      const prepared = this.publisher.prepare(this.#event(event));
      const twice = this.random.chance(RESEND_SHARE);
      const again = (): Promise<unknown> =>
        this.publisher.publish({ ...prepared, orderingKey: `${event.orderingKey}#2` }).catch((e: unknown) => e);
      const concurrent = twice && this.random.chance(0.5) ? again() : undefined;
      const receipt = await this.publisher.publish(prepared);
      if (concurrent !== undefined) await concurrent;
      else if (twice) await again();
      return receipt.position;
    } catch (e) {
      if (isSdkFault(e)) return undefined;
      throw e;
    } finally {
      this.#end();
    }
  }

  /** Publishes events in batches and waits for the outcome of each. */
  async publishBatch(events: readonly OutgoingEvent[]): Promise<Outcome[]> {
    this.#begin();
    try {
      return await this.publisher.publishBatch(events.map((e) => this.#event(e)));
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

  #event({ type, at, orderingKey, data, korelasi }: OutgoingEvent): NewEvent & { readonly orderingKey: string } {
    return {
      type,
      time: new Date(at ?? this.#deps.clock.now()).toISOString(),
      orderingKey,
      data,
      extensions: korelasi === undefined ? {} : { korelasi },
    };
  }

  #step(step: Step): void {
    this.#deps.history.step(`${this.system}@${this.owner}`, step);
    const { tally } = this.#deps;
    if (step.kind === 'ok' && !this.#seen.has(step.event.id)) {
      this.#seen.add(step.event.id);
      tally.accept(step.event.type);
      if (this.unit !== undefined) tally.units.add(this.owner);
    } else if (step.kind === 'fail') {
      tally.refused++;
      tally.fact(`refused ${this.owner}`, this.#deps.clock.label(), ...refusal(this, step.fault));
    } else if (step.kind === 'info') tally.uncertain++;
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
