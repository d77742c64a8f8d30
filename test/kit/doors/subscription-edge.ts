import type { Caller, Role } from '#access';
import type { NewRecord } from '#log';
import { AttemptStream } from '#delivery';
import {
  ATTEMPTS_DOOR,
  AttemptsController,
  Forwarder,
  Guesses,
  RECEIPTS_DOOR,
  ReceiptsController,
  SUBSCRIPTIONS_DOOR,
  SubscriptionActsController,
  SubscriptionFailuresController,
  SubscriptionsController,
  subscriptionPullDoor,
  type AttemptsDoorDeps,
  type HttpServer,
  type ReadersDeps,
  type ReceiptsDoorDeps,
  type SubscriptionsDoorDeps,
} from '#http';
import { specProblems } from '#subscriptions';
import { readUnitSeed, UnitTree } from '#units';
import { readFileSync } from 'node:fs';
import { serveEdge } from './edge.js';
import { LogInMemory } from '../log-in-memory.js';
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
/** Keys that the doors of one subscription need not know. */
const MORE_CALLERS = new Map([
  key('data', 'SU00013', 'data-team'),
  key('steward', 'SU00013', 'steward'),
  key('ownoperator', 'SU00123', 'operator'),
]);

/** The one event of which there is a receipt. */
export const RECEIPT = {
  id: 'satu',
  type: 'sdm.pegawai.diangkat',
  stream: 'sdm.pegawai',
  partition: 0,
  offset: 17,
  position: 'sdm.pegawai/0/17',
  digest: 'x',
  recordedtime: '2021-07-15T00:00:00.000Z',
  duplicate: false,
};

/** Subscriptions of an owner at the test edge. */
export const MOST_SUBSCRIPTIONS = 100;
/** Keys whose callers the test edge knows, by name. */
export const CALLER_NAMES: readonly string[] = [...CALLERS.values()].map(({ keyId }) => keyId);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

function bodyOf(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One hub process: a real HTTP edge with the doors of subscriptions, over a table that several of them may share. */
export class SubscriptionEdge {
  readonly audit: { readonly what: string; readonly phase: string }[] = [];
  /** The records of attempts. */
  readonly attempts = new LogInMemory(16);
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
      most: MOST_SUBSCRIPTIONS,
      problemsOf: (spec, { owner, system }) =>
        Promise.resolve(specProblems(spec, { owner, system, catalogue, units, urlProblems: () => [] })),
      publicKeys: ({ target, secrets }) =>
        target.kind === 'webhook' && target.signature === 'v1a'
          ? secrets.map(({ sealed, ...valid }) => ({ key: `whpk_${sealed}`, ...valid }))
          : [],
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
    const attempts: AttemptsDoorDeps = {
      attempts: new AttemptStream(this.attempts),
      list: this.table,
      catalogue,
      units,
    };
    const readers: ReadersDeps = { desks: deps.desks, forwarder: deps.forwarder, units: deps.units };
    const receipts: ReceiptsDoorDeps = {
      publishing: {
        receipt: (source, id, see) => {
          const found = { ...RECEIPT, source, id };
          return id !== RECEIPT.id ? Promise.resolve(undefined) : (see?.(found) ?? Promise.resolve(found));
        },
      },
      reading: { levelAt: () => Promise.resolve('full') },
      guesses: new Guesses({ missMs: 0 }),
      readers: { ...readers, waitMs: 400 },
    };
    this.#server = await serveEdge(
      { authenticate: (h) => CALLERS.get(h ?? '') ?? MORE_CALLERS.get(h ?? ''), doors: [subscriptionPullDoor(deps)] },
      {
        controllers: [
          AttemptsController,
          ReceiptsController,
          SubscriptionsController,
          SubscriptionActsController,
          SubscriptionFailuresController,
        ],
        providers: [
          { provide: SUBSCRIPTIONS_DOOR, useValue: deps },
          { provide: ATTEMPTS_DOOR, useValue: attempts },
          { provide: RECEIPTS_DOOR, useValue: receipts },
        ],
      },
    );
    this.#address = this.#server.url;
    return this;
  }

  get url(): string {
    return this.#address;
  }

  /** One request; `body` is sent as JSON. */
  ask(method: string, path: string, as: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#ask(method, `/v1/subscriptions${path}`, as, body, headers);
  }

  /** The receipt of RECEIPT, as an event of SU00123 unless another source is named. */
  receipt(as: string, source = 'urn:simpul:unit:SU00123:uji', headers: Record<string, string> = {}): Promise<Answer> {
    return this.#ask('GET', `/v1/receipts?source=${source}&id=${RECEIPT.id}`, as, undefined, headers);
  }

  /** The stream of attempts; `query` with its question mark. */
  attemptsOf(as: string, query = '', headers: Record<string, string> = {}): Promise<Answer> {
    return this.#ask('GET', `/v1/attempts${query}`, as, undefined, headers);
  }

  async #ask(
    method: string,
    path: string,
    as: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const r = await fetch(`${this.#address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${as}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await r.text();
    return { status: r.status, headers: r.headers, body: bodyOf(text) };
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
