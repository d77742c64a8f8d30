import { deferred } from '#concurrency';
import { SubscriptionSource, type EventSource, type Interest, type Sink, type SourceSet } from '#consuming';
import { connect, subscribe, type Connection, type EventToken, type ReadEvent, type RunningSubscription } from '#sdk';
import type { History } from '../history.js';
import type { Office } from '../office.js';
import { Handed } from '../webhooks/handed.js';
import { SubscriptionDoor, type ExactFilter } from '../webhooks/subscription-door.js';

/** How an office pulls: with `subscribe()` of the SDK, or as a Nest app with the source `hub`. */
export type PullKind = 'sdk' | 'nest';

export interface PullsDeps {
  /** Of the hub. */
  readonly url: string;
  /** Recorded time at which the day starts. */
  readonly from: string;
  readonly history: History;
  readonly fault: (text: string) => void;
}

interface OfficeDeps extends PullsDeps {
  readonly connection: Connection;
}

/** A pull subscription of one office. */
export class PullOffice implements EventSource {
  readonly office: Office;
  readonly types: readonly EventToken[];
  readonly name: string;
  /** Of a Nest app: the source of its consumer. */
  readonly nest: SubscriptionSource | undefined;
  readonly #door: SubscriptionDoor;
  readonly #filters: readonly ExactFilter[];
  readonly #deps: OfficeDeps;
  readonly #handed: Handed;
  readonly #end = deferred<void>();
  readonly #positions = new Set<string>();
  #running: RunningSubscription | undefined;
  #id = '';

  constructor(
    kind: PullKind,
    office: Office,
    types: readonly EventToken[],
    filters: readonly ExactFilter[],
    deps: OfficeDeps,
  ) {
    this.office = office;
    this.types = types;
    this.#filters = filters;
    this.#deps = deps;
    this.name = `tarik-${types[0]!.type.split('.').slice(1).join('-')}`;
    this.#handed = new Handed(`pull/${this.name}`);
    this.#door = new SubscriptionDoor(deps.url, office.key);
    const { connection, from } = deps;
    if (kind === 'nest')
      this.nest = new SubscriptionSource({
        ...{ connection, key: office.key, name: this.name, filters, from },
        finished: (event) => this.#delivered(event),
      });
  }

  /** Events that were handled. */
  get received(): number {
    return this.#positions.size;
  }

  /** Makes the subscription; one of the same name, from an earlier day, goes first. */
  async open(): Promise<void> {
    const { connection, from, history } = this.#deps;
    const { name, types, office } = this;
    await this.#door.remove(name);
    if (this.nest === undefined) {
      this.#running = await subscribe({
        ...{ connection, key: office.key, name, types, filters: this.#filters, start: from },
        handler: async (event, { position }) => {
          const own = event as unknown as ReadEvent;
          await this.#handed.hand(position, own, () => undefined);
          this.#delivered(own);
        },
      });
      this.#running.done.catch((cause: unknown) => this.#deps.fault(`${office.name}: ${String(cause)}`));
      this.#id = this.#running.id;
    } else {
      await this.nest.match(types.map(({ type }) => type));
      this.#id = this.nest.id!;
    }
    const subscription = this.#id;
    const evtypes = types.map(({ type }) => type);
    history.subscribes(this.#process, { subscription, evtypes, filters: this.#filters, since: from });
  }

  run(sink: Sink, _interest: Interest): Promise<void> {
    this.#handed.to(sink);
    return this.#end.promise;
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#end.resolve();
  }

  handled(event: ReadEvent): void {
    this.#handed.handled(event);
  }

  /** How much the hub still has to give; what is held behind a parked event or a dead letter is not counted. */
  async behind(): Promise<number> {
    const { lag, inFlight, held } = await this.#door.standing(this.#id);
    return Math.max(inFlight, lag.events - held);
  }

  get #process(): string {
    return `${this.office.system}@${this.office.owner}`;
  }

  #delivered(event: ReadEvent): void {
    this.#positions.add(event.position);
    this.#deps.history.delivered(this.#process, this.#id, event, event.position, 200);
  }
}

/** The offices that pull their events. */
export class Pulls {
  readonly #deps: PullsDeps;
  readonly #connection: Connection;
  readonly #offices: PullOffice[] = [];

  constructor(deps: PullsDeps) {
    this.#deps = deps;
    this.#connection = connect({ url: deps.url });
  }

  follow(kind: PullKind, office: Office, types: readonly EventToken[], filters: readonly ExactFilter[]): void {
    const deps = { ...this.#deps, connection: this.#connection };
    this.#offices.push(new PullOffice(kind, office, types, filters, deps));
  }

  /** Makes the subscriptions, when all offices have said what they follow. */
  async open(set: SourceSet): Promise<void> {
    await Promise.all(
      this.#offices.map(async (each) => {
        await each.open();
        set.add({ name: each.office.owner, source: each.nest ?? each, types: each.types.map(({ type }) => type) });
      }),
    );
  }

  handled(owner: string, event: ReadEvent): void {
    for (const each of this.#offices) if (each.office.owner === owner) each.handled(event);
  }

  get received(): number {
    return this.#offices.reduce((sum, { received }) => sum + received, 0);
  }

  async behind(): Promise<number> {
    const each = await Promise.all(this.#offices.map((office) => office.behind()));
    return each.reduce((sum, events) => sum + events, 0);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
