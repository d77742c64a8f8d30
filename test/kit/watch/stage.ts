import { sampleEvent, type Caller } from '#access';
import { CLOCK, CORE, CoreModule, type Core } from '#core';
import { GatewayModule } from '#gateway';
import { ProjectorModule } from '#projector';
import { Publishing, type Offered } from '#publishing';
import { readHubSettings } from '#settings';
import { Test, type TestingModule } from '@nestjs/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WATCH_OPTIONS, WatchRunner, type WatchOptions } from '../../../libs/watch/watch-runner.js';
import { WatchHome } from '../../../libs/watch/watch-home.js';
import type { Finding } from '../../../libs/watch/finding.js';
import { WatchDoorModule, WatchModule } from '../../../libs/watch/index.js';
import { silentHub } from '../hub/hub-module.js';

export type EngineName = 'embedded' | 'kafka';

export const OCCUPANCY = 'pas.hunian.dilaporkan';
export const PASSPORTS = 'imigrasi.paspor.diterbitkan';

/** A hub that watches, in this process, on either engine, with a clock that a spec sets. */
export class WatchStage implements AsyncDisposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'simpul-watch-'));
  readonly #settings: Readonly<Record<string, string>>;
  readonly #options: WatchOptions;
  #shiftMs = 0;
  #module!: TestingModule;
  #count = 0;

  private constructor(engine: EngineName, options: WatchOptions, of?: WatchStage) {
    this.#options = { everyMs: 30, ...options };
    this.#settings = {
      ...(of === undefined ? {} : of.#settings),
      ...silentHub(this.#dir),
      ...(of === undefined ? {} : { SIMPUL_PSEUDONYM_KEY_FILE: join(of.#dir, 'pseudonym.key') }),
      ...(engine === 'kafka' && of === undefined
        ? {
            SIMPUL_ENGINE: 'kafka',
            SIMPUL_KAFKA: process.env['SIMPUL_TEST_KAFKA'] ?? '',
            SIMPUL_KAFKA_PREFIX: `w${Math.random().toString(36).slice(2, 10)}.`,
            SIMPUL_REDIS: process.env['SIMPUL_TEST_REDIS'] ?? '',
          }
        : {}),
    };
  }

  static async open(engine: EngineName, options: WatchOptions = {}, at?: string): Promise<WatchStage> {
    const stage = new WatchStage(engine, options);
    if (at !== undefined) stage.clock(at);
    await stage.start();
    return stage;
  }

  /** A second process of this deployment, on Kafka. */
  async beside(): Promise<WatchStage> {
    const stage = new WatchStage('kafka', this.#options, this);
    await stage.start();
    return stage;
  }

  async start(): Promise<void> {
    const settings = readHubSettings(this.#settings);
    this.#module = await Test.createTestingModule({
      imports: [
        CoreModule.forRoot({ name: 'hub', settings }),
        GatewayModule,
        ProjectorModule,
        WatchModule,
        WatchDoorModule,
      ],
    })
      .overrideProvider(CLOCK)
      .useValue(() => Date.now() + this.#shiftMs)
      .overrideProvider(WATCH_OPTIONS)
      .useValue(this.#options)
      .compile();
    await this.#module.init();
  }

  async stop(): Promise<void> {
    await this.#module.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** From now on it is this time. */
  clock(at: string | number): void {
    this.#shiftMs = (typeof at === 'number' ? at : Date.parse(at)) - Date.now();
  }

  get now(): number {
    return Date.now() + this.#shiftMs;
  }

  get core(): Core {
    return this.#module.get<Core>(CORE);
  }

  get runner(): WatchRunner {
    return this.#module.get(WatchRunner, { strict: false });
  }

  /** What is stored of findings, as the door shows them. */
  get findings(): readonly Finding[] {
    return [...this.#module.get(WatchHome, { strict: false }).findings()];
  }

  /** Publishes one event of a unit; `more`: attributes and `data` that differ from the sample, with an `id` always the same one. Answers its position. */
  async publish(unit: string, type: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { registry, units } = this.core;
    const caller: Caller = { keyId: 'k', owner: unit, system: 'uji', roles: new Set(['publisher']) };
    const number = more['id'] === undefined ? this.#count++ : 0;
    const id = `e-${number}`;
    const time = new Date(this.now).toISOString();
    const sample = sampleEvent(registry.catalogue.newest(type)!, number, caller, units.units, { id, time });
    const { data, subject: _s, dataschema: _d, datacontenttype: _c, ...given } = sample;
    const { data: changed, ...attributes } = more;
    const offered: Offered = {
      kind: 'event',
      given: { ...given, ...attributes },
      content: { kind: 'json', data: { ...data, ...(changed as object | undefined) } },
      form: 'body',
      bytes: 1_000,
    };
    const [outcome] = await this.#module.get(Publishing).publish([offered], { caller });
    if (outcome === undefined || !('receipt' in outcome)) throw new Error(JSON.stringify(outcome));
    return outcome.receipt.position;
  }

  /** The events of findings, in the order of the log. */
  async events(): Promise<readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]> {
    const { reading, registry } = this.core;
    const stream = registry.catalogue.stream('simpul.pemantauan')!;
    const { events } = await reading.readEvents('hub', {
      stream,
      next: Array.from({ length: stream.partitions }, () => 0n),
    });
    return events.map(({ type, data, envelope }) => ({ type: type.type, id: envelope.id, data }));
  }
}
