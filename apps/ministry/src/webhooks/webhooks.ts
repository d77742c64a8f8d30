import { deferred } from '#concurrency';
import type { EventSource, Interest, Sink, SourceSet } from '#consuming';
import type { EventToken, ReadEvent } from '#sdk';
import type { History } from '../history.js';
import type { Office } from '../office.js';
import { Handed } from './handed.js';
import { WebhookReceiver, type Delivery } from './receiver.js';
import { SubscriptionDoor, type ExactFilter } from './subscription-door.js';

export interface WebhooksDeps {
  /** Of the hub. */
  readonly url: string;
  /** Recorded time at which the day starts. */
  readonly from: string;
  readonly history: History;
}

/** A subscription of one office, with its receiver. */
export class WebhookOffice implements EventSource {
  readonly office: Office;
  readonly name: string;
  readonly types: readonly string[];
  readonly filters: readonly ExactFilter[];
  readonly door: SubscriptionDoor;
  readonly receiver: WebhookReceiver;
  /** Id of the subscription. */
  id = '';
  /** A status with which the office refuses an event instead of handling it. */
  refuses: (event: ReadEvent) => number | undefined = () => undefined;
  /** Called for each event that was handled for the first time. */
  handledOne: (event: ReadEvent) => void = () => undefined;
  readonly #history: History;
  readonly #handed: Handed;
  readonly #end = deferred<void>();

  constructor(office: Office, types: readonly string[], filters: readonly ExactFilter[], deps: WebhooksDeps) {
    this.office = office;
    this.types = types;
    this.filters = filters;
    this.name = types[0]!.split('.').slice(1).join('-');
    this.door = new SubscriptionDoor(deps.url, office.key);
    this.#history = deps.history;
    this.#handed = new Handed(`webhook/${this.name}`);
    this.receiver = new WebhookReceiver({ take: (delivery) => this.#take(delivery) });
  }

  get process(): string {
    return `${this.office.system}@${this.office.owner}`;
  }

  /** Events that were handled. */
  get received(): number {
    return this.#handed.received;
  }

  async open(start: string): Promise<void> {
    await this.receiver.up();
    const { name, types, filters, receiver } = this;
    const made = await this.door.create({ name, types, filters, start, url: receiver.url });
    this.id = made.id;
    receiver.secret = made.secret;
    this.#history.subscribes(this.process, { subscription: made.id, evtypes: types, filters, since: start });
  }

  /** How much the hub still has to deliver; what is held behind a parked event or a dead letter is not counted. */
  async behind(): Promise<number> {
    const { lag, inFlight, held } = await this.door.standing(this.id);
    return Math.max(inFlight, lag.events - held);
  }

  run(sink: Sink, _interest: Interest): Promise<void> {
    this.#handed.to(sink);
    return this.#end.promise;
  }

  async stop(): Promise<void> {
    await this.receiver.down();
    this.#end.resolve();
  }

  /** The handler of the app has ended. */
  handled(event: ReadEvent): void {
    this.#handed.handled(event);
  }

  async #take({ event, webhookId }: Delivery): Promise<number> {
    const refused = this.refuses(event);
    const status = refused ?? 204;
    if (refused === undefined) await this.#handed.hand(webhookId, event, () => this.handledOne(event));
    this.#history.delivered(this.process, this.id, event, webhookId, status);
    return status;
  }
}

/** The offices that get their events through subscriptions, each at a port of its own. */
export class Webhooks {
  readonly #deps: WebhooksDeps;
  readonly #offices: WebhookOffice[] = [];

  constructor(deps: WebhooksDeps) {
    this.#deps = deps;
  }

  /** An office has at most one subscription for a type. */
  follow(office: Office, types: readonly EventToken[], filters: readonly ExactFilter[]): WebhookOffice {
    const names = types.map(({ type }) => type);
    const added = new WebhookOffice(office, names, filters, this.#deps);
    this.#offices.push(added);
    return added;
  }

  /** Makes the subscriptions, when all offices have said what they follow. */
  async open(set: SourceSet): Promise<void> {
    for (const each of this.#offices) set.add({ name: each.office.owner, source: each, types: each.types });
    await Promise.all(this.#offices.map((each) => each.open(this.#deps.from)));
  }

  handled(owner: string, event: ReadEvent): void {
    for (const each of this.#offices)
      if (each.office.owner === owner && each.types.includes(event.type)) each.handled(event);
  }

  get received(): number {
    return this.#offices.reduce((sum, { received }) => sum + received, 0);
  }

  async behind(): Promise<number> {
    const each = await Promise.all(this.#offices.map((office) => office.behind()));
    return each.reduce((sum, events) => sum + events, 0);
  }
}
