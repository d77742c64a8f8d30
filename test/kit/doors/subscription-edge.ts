import type { Caller, Role } from '#access';
import type { NewRecord } from '#log';
import {
  Forwarder,
  SUBSCRIPTIONS_DOOR,
  SubscriptionActsController,
  SubscriptionFailuresController,
  SubscriptionsController,
  type HttpServer,
  type SubscriptionsDoorDeps,
} from '#http';
import { specProblems } from '#subscriptions';
import { readUnitSeed, UnitTree } from '#units';
import { readFileSync } from 'node:fs';
import { serveEdge } from './edge.js';
import { catalogueOfFiles } from '../projection/events.js';
import { FakeTable } from './fake-desk.js';

const catalogue = catalogueOfFiles(2);
const units = new UnitTree(() => '2021-07-15');
const seed = new URL('../../../schemas/units.json', import.meta.url);
for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);

/** `SU00012` stands above `SU00123`. */
const ABOVE: Readonly<Record<string, readonly string[]>> = { SU00123: ['SU00012', 'SU00001'], SU00124: ['SU00012'] };
const key = (keyId: string, owner: string, ...roles: Role[]): [string, Caller] => [
  `Bearer ${keyId}`,
  { keyId, owner, system: 'uji', roles: new Set(roles) },
];
const CALLERS = new Map([
  key('own', 'SU00123', 'reader'),
  key('publisher', 'SU00123', 'publisher'),
  key('ownadmin', 'SU00123', 'admin'),
  key('beside', 'SU00124', 'reader', 'admin'),
  key('aboveadmin', 'SU00012', 'admin'),
  key('aboveoperator', 'SU00012', 'operator'),
  key('abovereader', 'SU00012', 'reader'),
  key('hub', 'hub', 'admin'),
]);

/** Keys whose callers the test edge knows, by name. */
export const CALLER_NAMES: readonly string[] = [...CALLERS.values()].map(({ keyId }) => keyId);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

/** One hub process: a real HTTP edge with the doors of subscriptions, over a table that several of them may share. */
export class SubscriptionEdge {
  readonly audit: { readonly what: string; readonly phase: string }[] = [];
  #server: HttpServer | undefined;
  #address = 'http://127.0.0.1:9';
  readonly #forwarder = new Forwarder({ address: 'http://127.0.0.1:9' });

  constructor(readonly table: FakeTable = new FakeTable()) {}

  /** Starts it; it owns nothing yet. */
  async open(more: Partial<SubscriptionsDoorDeps> = {}): Promise<this> {
    const deps: SubscriptionsDoorDeps = {
      desks: this.table.desksAt(() => this.#address),
      forwarder: this.#forwarder,
      units: { above: (id) => new Set(ABOVE[id] ?? []) },
      list: this.table,
      problemsOf: (spec, { owner, system }) =>
        specProblems(spec, { owner, system, catalogue, units, urlProblems: () => [] }),
      preview: () => Promise.resolve({ matched: 2, since: '2021-07-08T00:00:00.000Z', examples: [{ id: 'satu' }] }),
      log: {
        append: (_topic, _partition, [record]: readonly NewRecord[]) => {
          this.audit.push(JSON.parse(record!.value!.toString()) as { what: string; phase: string });
          return Promise.resolve({ kind: 'accepted', base: 0n } as never);
        },
      },
      now: () => Date.parse('2021-07-15T00:00:00Z'),
      ...more,
    };
    this.#server = await serveEdge(
      { authenticate: (h) => CALLERS.get(h ?? '') },
      {
        controllers: [SubscriptionsController, SubscriptionActsController, SubscriptionFailuresController],
        providers: [{ provide: SUBSCRIPTIONS_DOOR, useValue: deps }],
      },
    );
    this.#address = this.#server.url;
    return this;
  }

  get url(): string {
    return this.#address;
  }

  /** One request; `body` is sent as JSON. */
  async ask(
    method: string,
    path: string,
    as: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const r = await fetch(`${this.#address}/v1/subscriptions${path}`, {
      method,
      headers: {
        authorization: `Bearer ${as}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await r.text();
    return { status: r.status, headers: r.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** A subscription of SU00123, made through the door. */
  async made(
    name = 'payroll',
    target: object = { kind: 'webhook', url: 'https://a.example/h?token=RAHASIA' },
  ): Promise<string> {
    const filters = [{ exact: { 'data.nik': '9900000000000001' } }];
    const { status, body } = await this.ask('POST', '', 'own', { name, types: ['sdm.#'], filters, target });
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body.id as string;
  }

  /** Stops the server; as a kill, when `hard`: connections are cut. */
  async close(hard = false): Promise<void> {
    if (hard) this.#server?.app.getHttpServer().closeAllConnections();
    await this.#forwarder.close();
    await this.#server?.close();
    this.#server = undefined;
  }
}
