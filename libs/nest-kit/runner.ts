import {
  Consumer,
  ConsumerFault,
  createConsumer,
  filePlaces,
  HubDeadLetters,
  HubSource,
  isTestEvent,
  SubscriptionSource,
  withTestEvents,
  type ConsumerStatus,
  type DeadLetters,
  type EventSource,
  type HubSourceReport,
  type Places,
} from '#consuming';
import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { forgottenBeside } from './decorators.js';
import { findHandlers, type FoundHandler } from './handlers.js';
import { startFaultOf, subscriptionFaultOf, type Hub } from './hub.js';
import { Lines } from './lines.js';
import type { SimpulOptions } from './options.js';
import type { SimpulPublisher } from './publisher.js';
import { StartFault } from './start-fault.js';
import { subscriptionNameOf } from './subscription-name.js';
import type { TestDouble } from './test-double.js';
import type { Tokens } from './tokens.js';
import { WebhookRunner } from './webhook-runner.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Finds the handlers of the app, runs the consumer from the end of the start to the beginning of the end, and ends the process when the consumer cannot go on. */
@Injectable()
export class Runner implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  readonly #lines = new Lines();
  #consumer: Consumer | undefined;
  #subscription: SubscriptionSource | undefined;
  #running: Promise<void> | undefined;
  #closing = false;
  readonly #onSignal = (signal: NodeJS.Signals): void => void this.#signalled(signal);

  constructor(
    private readonly options: SimpulOptions,
    private readonly hub: Hub,
    private readonly publisher: SimpulPublisher,
    private readonly tokens: Tokens,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly modules: ModulesContainer,
    private readonly double?: TestDouble,
  ) {}

  /** undefined: the app has no handlers. */
  get consumer(): Consumer | undefined {
    return this.#consumer;
  }

  /** With the source `hub`. */
  get subscription(): SubscriptionSource | undefined {
    return this.#subscription;
  }

  status(): ConsumerStatus | undefined {
    return this.#consumer?.status();
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.discovery.getProviders().filter(({ token }) => token === Runner).length > 1)
      throw new StartFault(
        'two_modules',
        'SimpulModule.forRoot is imported twice, and each would handle every event: import it once, in the root module; it is global. For several keys see SourceSet',
      );
    // Each event would be handled twice.
    if (this.discovery.getProviders().some(({ token }) => token === WebhookRunner)) return;
    const found = findHandlers(this.discovery, this.scanner, this.modules);
    this.#lines.forgotten(forgottenBeside(found.map(({ method }) => method)));
    this.tokens.add(found.map(({ handling }) => handling.token));
    if (this.double?.handlers !== undefined) {
      this.double.handlers(found.map(({ handling }) => handling));
      return;
    }
    if (found.length === 0) return;
    await this.#checkTypes(found);
    this.#consumer = this.#make(found, await this.#letters(found));
    await this.#match(found);
    this.double?.consumer?.(this.#consumer);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    this.#running = this.#consumer.run().catch((fault: unknown) => this.#ended(fault));
    await this.#consumer.ready();
  }

  /** Handlers end before the providers that they use. */
  async onModuleDestroy(): Promise<void> {
    await this.#stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#closing = true;
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    await this.#consumer?.stop();
    await this.#running;
  }

  get #group(): string {
    return this.options.group ?? this.hub.owner.system;
  }

  /** Of the hub, which is asked at once whether it takes them: a wrong group shows at the start, and not with the first event that is given up. */
  async #letters(found: readonly FoundHandler[]): Promise<DeadLetters | undefined> {
    const { deadLetters, key, url } = this.options;
    if (deadLetters !== undefined || found.every(({ handling }) => handling.options.then !== 'dead-letter'))
      return deadLetters;
    const { connection, owner } = this.hub;
    const letters = new HubDeadLetters({ connection, key, owner: owner.unit, group: this.#group });
    try {
      await letters.check();
    } catch (cause) {
      if (cause instanceof ConsumerFault) throw new StartFault('letters_refused', cause.message, cause);
      throw startFaultOf(cause, url);
    }
    return letters;
  }

  #make(found: readonly FoundHandler[], deadLetters: DeadLetters | undefined): Consumer {
    const { inbox, limits, placeMs, stopMs, report } = this.options;
    const group = this.#group;
    try {
      const source = this.#withTests(group, { ...this.#lines.source(), ...report });
      source.tellTo?.((line) => this.#lines.told(line));
      return createConsumer({
        source,
        group,
        handlers: found.map(({ handling }) => handling),
        report: { ...this.#lines.consumer(), ...report },
        ...(inbox === undefined ? {} : { inbox }),
        ...(deadLetters === undefined ? {} : { deadLetters: withoutTests(deadLetters) }),
        ...(limits === undefined ? {} : { limits }),
        ...(placeMs === undefined ? {} : { placeMs }),
        ...(stopMs === undefined ? {} : { stopMs }),
      });
    } catch (cause) {
      if (!(cause instanceof ConsumerFault)) throw cause;
      const code = cause.code === 'handler_option_unfit' ? cause.code : 'no_handler';
      throw new StartFault(code, cause.message, cause);
    }
  }

  /** What the hub does not give shows at the start, with the reason, and not as the end of an app that runs. */
  async #match(found: readonly FoundHandler[]): Promise<void> {
    try {
      await this.#subscription?.match(found.map(({ handling }) => handling.token.type));
    } catch (cause) {
      throw subscriptionFaultOf(cause, this.options.url);
    }
  }

  #withTests(group: string, report: HubSourceReport): EventSource {
    const { testEvents = false, stopMs } = this.options;
    const source = this.#source(group, report);
    if (!testEvents) return source;
    const waiting = stopMs === undefined ? {} : { stopMs };
    return withTestEvents(source, { reader: this.hub.reader, report, ...waiting });
  }

  #source(group: string, report: HubSourceReport): EventSource {
    const { source = 'hub', places = filePlaces('simpul-places.json'), from, onGap, stopMs } = this.options;
    const { reader, connection } = this.hub;
    if (source === 'hub') return (this.#subscription = this.#subscribe(group, report, places));
    if (source !== 'stream')
      return sourceOf(typeof source === 'function' ? source({ group, reader, connection, places, report }) : source);
    return new HubSource({
      reader,
      places,
      report,
      ...(from === undefined ? {} : { from }),
      ...(onGap === undefined ? {} : { onGap }),
      ...(stopMs === undefined ? {} : { stopMs }),
    });
  }

  #subscribe(group: string, report: HubSourceReport, places: Places): SubscriptionSource {
    const {
      key,
      subscription: { name = subscriptionNameOf(group), ...subscription } = {},
      from,
      onGap,
      stopMs,
      startMs,
    } = this.options;
    const { connection } = this.hub;
    return new SubscriptionSource({
      ...{ connection, key, name, places, report, ...subscription },
      ...(from === undefined ? {} : { from }),
      ...(onGap === undefined ? {} : { onGap }),
      ...(stopMs === undefined ? {} : { stopMs }),
      ...(startMs === undefined ? {} : { startMs }),
    });
  }

  async #checkTypes(found: readonly FoundHandler[]): Promise<void> {
    const known = new Set<string>();
    try {
      for await (const { type } of this.hub.reader.eventTypes()) known.add(type);
    } catch (cause) {
      throw startFaultOf(cause, this.options.url);
    }
    const unknown = found.find(({ handling }) => !known.has(handling.token.type));
    if (unknown === undefined) return;
    throw new StartFault(
      'unknown_type',
      `the hub at ${this.options.url} has no event type ${unknown.handling.token.type}, or the key may not see it (handler ${unknown.name}): \`simpul type ls\` lists the types`,
    );
  }

  #ended(fault: unknown): void {
    if (this.#closing) return;
    if (this.options.ended !== undefined) {
      this.options.ended(fault);
      return;
    }
    this.#lines.ended(fault);
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  }

  /** Without `enableShutdownHooks()` nobody else ends the process: then the handlers in work end first, and their places are stored. */
  async #signalled(signal: NodeJS.Signals): Promise<void> {
    if (process.listenerCount(signal) > 1 || this.#closing) return;
    await this.#stop();
    await this.publisher.flush();
    if (process.exitCode === undefined) process.kill(process.pid, signal);
    else process.exit();
  }
}

/** The letter of a test event would outlive it, and an operator would look for an event that nobody has stated. */
const withoutTests = (letters: DeadLetters): DeadLetters => ({
  write: (letter) => (isTestEvent(letter.event) ? Promise.resolve() : letters.write(letter)),
});

function sourceOf(source: EventSource | undefined): EventSource {
  if (typeof source?.run === 'function') return source;
  throw new StartFault(
    'no_source',
    `source of SimpulModule must be 'hub', 'stream' or kafka({ brokers, group }) of @simpul/nest/kafka, not ${JSON.stringify(source)}`,
  );
}
