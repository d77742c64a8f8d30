import { sampleEvent, type Caller } from '#access';
import { CORE, CoreModule, type Core } from '#core';
import { CourierModule } from '#courier';
import { GatewayModule } from '#gateway';
import { openHttp, type HttpServer } from '#http';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from '../hub/hub-module.js';
import { until } from '../projection/stage.js';
import type { WebhookReceiver } from '../receiver/receiver.js';

export type EngineName = 'embedded' | 'kafka';
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = Record<string, any>;

export const OFFICE = 'SU00123';
export const PASSPORTS = 'imigrasi.paspor.diterbitkan';

export const PUBLISHER: Caller = { keyId: '', owner: OFFICE, system: 'uji', roles: new Set(['publisher']) };

export interface Published {
  readonly id: string;
  /** Stands for the subject. */
  readonly number: number;
  readonly position: string;
}

/** A hub with every role in this process, on either engine, whose webhooks may go to this machine and whose retries are short. */
export class DeliveryStage implements AsyncDisposable {
  readonly engine: EngineName;
  readonly published: Published[] = [];
  readonly #dir = mkdtempSync(join(tmpdir(), 'simpul-deliveries-'));
  readonly #settings: Readonly<Record<string, string>>;
  #http!: HttpServer;
  /** The same after a restart. */
  #port = 0;
  #keys = new Map<string, string>();

  private constructor(engine: EngineName, more: Readonly<Record<string, string>>) {
    this.engine = engine;
    const kafka = {
      SIMPUL_ENGINE: 'kafka',
      SIMPUL_KAFKA: process.env['SIMPUL_TEST_KAFKA'] ?? '',
      SIMPUL_KAFKA_PREFIX: `d${Math.random().toString(36).slice(2, 10)}.`,
      SIMPUL_REDIS: process.env['SIMPUL_TEST_REDIS'] ?? '',
    };
    this.#settings = {
      ...silentHub(this.#dir),
      SIMPUL_WEBHOOK_ALLOW: '127.0.0.0/8',
      SIMPUL_DELIVERY_RETRIES: '0.05,0.1',
      SIMPUL_DELIVERY_SCHEDULE: '0.2,0.4',
      ...(engine === 'kafka' ? kafka : {}),
      ...more,
    };
  }

  static async open(engine: EngineName, more: Readonly<Record<string, string>> = {}): Promise<DeliveryStage> {
    const stage = new DeliveryStage(engine, more);
    await stage.start();
    return stage;
  }

  /** Starts the hub, again after stop(). */
  async start(): Promise<void> {
    const settings = readHubSettings(this.#settings);
    @Module({
      imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule, CourierModule],
    })
    class HubModule {}
    this.#http = await openHttp(HubModule, { port: this.#port });
    this.#port = Number(new URL(this.#http.url).port);
    await until(async () => (await fetch(`${this.#http.url}/health/ready`)).status === 200);
  }

  async stop(): Promise<void> {
    await this.#http.close();
  }

  get url(): string {
    return this.#http.url;
  }

  get core(): Core {
    return this.#http.app.get<Core>(CORE, { strict: false });
  }

  async key(unit = OFFICE, ...roles: string[]): Promise<string> {
    const all = roles.length === 0 ? ['publisher', 'reader'] : roles;
    const name = `${unit} ${all.join()}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      const admin = readFileSync(this.core.adminKey.path!, 'utf8').trim();
      const made = await this.ask('POST', '/v1/keys', { unit, system: 'uji', roles: all }, admin);
      this.#keys.set(name, (key = made.body['key'] as string));
    }
    return key;
  }

  /** One request; by default with a key of OFFICE that may publish and read. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    key?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly body: Body; readonly headers: Headers }> {
    const answer = await fetch(this.#http.url + path, {
      method,
      headers: {
        authorization: `Bearer ${key ?? (await this.key())}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Body), headers: answer.headers };
  }

  /** One request with the admin key of the hub. */
  asAdmin(method: string, path: string): ReturnType<DeliveryStage['ask']> {
    return this.ask(method, path, undefined, readFileSync(this.core.adminKey.path!, 'utf8').trim());
  }

  /** Makes a subscription of OFFICE to passports with a webhook to this address; `more`: members of the spec, `target`: of the target. */
  async subscribe(name: string, url: string, more: object = {}, target: object = {}): Promise<Body> {
    const spec = { name, types: [PASSPORTS], target: { kind: 'webhook', url, ...target }, ...more };
    const { status, body } = await this.ask('POST', '/v1/subscriptions', spec);
    if (status !== 201) throw new Error(`subscribe: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Removes the subscriptions of OFFICE, for the next case of a spec that shares this hub. */
  async clear(): Promise<void> {
    const { body } = await this.ask('GET', '/v1/subscriptions?limit=100');
    for (const { id } of body['subscriptions'] as Body[]) await this.ask('DELETE', `/v1/subscriptions/${id}?why=uji`);
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.#http.url}/metrics`)).text();
  }

  async standing(id: string): Promise<Body> {
    return (await this.ask('GET', `/v1/subscriptions/${id}`)).body;
  }

  /** Publishes one event for each subject, one after the other; a number stands for a passport of its own. `more`: attributes of each. */
  async publish(subjects: readonly number[], more: object = {}, of = PASSPORTS): Promise<readonly Published[]> {
    const { registry, units } = this.core;
    const type = registry.catalogue.newest(of)!;
    const made = subjects.map((subject, n) => {
      const id = `e-${this.published.length + n}`;
      const time = new Date().toISOString();
      const event = sampleEvent(type, subject, PUBLISHER, units.units, { id, time });
      return { ...event, source: `urn:simpul:unit:${OFFICE}:uji`, ...more } as Body;
    });
    const { status, body } = await this.ask('POST', '/v1/events', made, undefined, {
      'content-type': 'application/cloudevents-batch+json',
    });
    if (status !== 201) throw new Error(`publish: ${status} ${JSON.stringify(body)}`);
    const receipts = body['receipts'] as { position: string }[];
    const added = receipts.map(({ position }, n) => ({
      id: made[n]!['id'] as string,
      number: subjects[n]!,
      position,
    }));
    this.published.push(...added);
    return added;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Ids by subject, in order. */
export type BySubject = ReadonlyMap<number, readonly string[]>;

export function publishedBySubject(published: readonly Published[]): BySubject {
  const by = new Map<number, string[]>();
  for (const { number, id } of published) by.set(number, [...(by.get(number) ?? []), id]);
  return by;
}

/** What a receiver has taken, in the order of arrival; a repeat of an event is left out. */
export function takenBySubject(
  { received }: Pick<WebhookReceiver, 'received'>,
  published: readonly Published[],
): BySubject {
  const numbers = new Map(published.map(({ id, number }) => [id, number]));
  const by = new Map<number, string[]>();
  for (const { events, answer } of received) {
    if (typeof answer !== 'number' || answer >= 300) continue;
    for (const { id } of events) {
      const number = numbers.get(id)!;
      const ids = by.get(number) ?? [];
      if (!ids.includes(id)) ids.push(id);
      by.set(number, ids);
    }
  }
  return by;
}
