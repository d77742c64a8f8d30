import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { mayPublish, mayState, sampleEvent, type Caller, type Role } from '#access';
import {
  Guesses,
  publishDoor,
  readDoor,
  RECEIPTS_DOOR,
  ReceiptsController,
  REFUSALS_DOOR,
  RefusalsController,
  WATCH_DOOR,
  WatchController,
  type HttpLimits,
  type HttpServer,
} from '#http';
import type { Limits } from '#limits';
import { Appender, OWNERS_SPEC, TEST_EVENTS, type AppendOutcome, type EventLog } from '#log';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import { openProjector, type OpenProjector } from '#projection';
import { openCopies, openSettled, type Copies, type Settled } from '#duplicates';
import { openRefusals, Publishing, type PublishLimits, type Refusals } from '#publishing';
import { Reading } from '#reading';
import type { CatalogueIndex } from '#registry';
import type { State } from '#state';
import { openEmbeddedState } from '#state-embedded';
import { readUnitSeed, UnitTree } from '#units';
import { catalogueOfFiles } from '../projection/events.js';
import { RowsInMemory } from '../projection/stage.js';
import { serveEdge, SILENT } from './edge.js';

const seed = new URL('../../../schemas/units.json', import.meta.url);

/** API keys of the stage, by name: `Authorization: Bearer <name>`. */
export const KEYS: Readonly<Record<string, Caller>> = {
  kanim: caller('kanim', 'SU00123', 'simkim', 'publisher', 'reader'),
  lapas: caller('lapas', 'SU00300', 'sdp', 'publisher', 'reader'),
  steward: caller('steward', 'SU00001', 'walidata', 'steward'),
  operator: caller('operator', 'SU00001', 'ops', 'operator'),
  stranger: caller('stranger', 'SU00400', 'sdp', 'publisher', 'reader'),
  mute: caller('mute', 'SU00123', 'simkim', 'reader'),
};

export function caller(keyId: string, owner: string, system: string, ...roles: Role[]): Caller {
  return { keyId, owner, system, roles: new Set(roles) };
}

export interface HubStageOptions {
  readonly limits?: Partial<PublishLimits>;
  readonly http?: Partial<HttpLimits>;
  readonly budgets?: Limits;
  readonly wrapState?: (state: State) => State;
  /** False: no projector, so no event is settled and the duplicate index stays empty. @default true */
  readonly project?: boolean;
  /** Another log than the embedded one in the folder of the stage; closed with it. `maintain` of the stage's log is then missing. */
  readonly openLog?: () => Promise<EventLog>;
  readonly partitions?: number;
  /** A stream with a retention time, and the clock of the log. */
  readonly retention?: { readonly stream: string; readonly ms: number; readonly now: () => number };
}

/** While `answer` is set, appends to streams get its outcome instead of going to the log; undefined lets one through. */
export interface AppendScript {
  answer: (() => Promise<AppendOutcome> | undefined) | undefined;
  /** The answer of the log is lost: what goes to it is appended, and told as uncertain. */
  loseAnswers: boolean;
  calls: number;
}

/** A gateway and a duplicate index over an embedded log and state in a temporary folder, with the contracts and units of the repository. */
export class HubStage {
  readonly dir = mkdtempSync(join(tmpdir(), 'simpul-doors-'));
  readonly keys = new Map(Object.entries(KEYS));
  readonly appends: AppendScript = { answer: undefined, loseAnswers: false, calls: 0 };
  readonly units = new UnitTree(() => '2021-07-15');
  readonly meter: [string, number][] = [];
  /** What needs an operator, as publishing reports it: `<code> <stream>/<partition>`. */
  readonly unwritable: string[] = [];
  catalogue!: CatalogueIndex;
  log!: EmbeddedLog;
  state!: State;
  copies!: Copies;
  settled!: Settled;
  reading!: Reading;
  publishing!: Publishing;
  refusals!: Refusals;
  server!: HttpServer;
  projector: OpenProjector | undefined;
  readonly #others: HttpServer[] = [];

  async open(options: HubStageOptions = {}): Promise<this> {
    this.catalogue = catalogueOfFiles(options.partitions ?? 3);
    for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) this.units.put(u.id, [u]);
    const { retention } = options;
    const embedded = (): Promise<EventLog> =>
      openEmbeddedLog({ dir: this.dir, ...(retention ? { now: retention.now } : {}) });
    this.log = (await (options.openLog ?? embedded)()) as EmbeddedLog;
    const state = await openEmbeddedState({ dir: this.dir });
    this.state = options.wrapState?.(state) ?? state;
    const streams = this.catalogue.streams();
    await this.log.ensureTopics([
      OWNERS_SPEC,
      TEST_EVENTS,
      ...streams.map(({ name, partitions }) => ({
        name,
        partitions,
        cleanup: 'keep' as const,
        ...(name === retention?.stream ? { retentionMs: retention.ms } : {}),
      })),
    ]);
    this.copies = await openCopies(this.log);
    this.settled = await openSettled({ log: this.log, state: this.state, copies: this.copies, streams });
    const { log, settled, catalogue, units } = this;
    this.reading = new Reading({ log, settled, catalogue, units, now: Date.now });
    if (options.project !== false) await this.project();
    this.refusals = await openRefusals({
      log: this.log,
      now: Date.now,
      catalogue: this.catalogue,
      flushEveryMs: 3_600_000,
    });
    this.publishing = this.#publishing(options);
    this.server = await this.#serve(this.publishing, options);
    return this;
  }

  /** A second gateway over the same log and index. It does not know the requests that the first has in flight. Closed with the stage. */
  async another(): Promise<Pick<HubStage, 'ask' | 'post'>> {
    const server = await this.#serve(this.#publishing({}), {});
    this.#others.push(server);
    return {
      ask: (path, init) => this.ask(path, { ...init, at: server.url }),
      post: (event, init) => this.post(event, { ...init, at: server.url }),
    };
  }

  #publishing(options: HubStageOptions): Publishing {
    const appender = new Appender(this.log);
    return new Publishing({
      log: this.log,
      appends: {
        append: async (...args) => {
          this.appends.calls++;
          const { answer, loseAnswers } = this.appends;
          const outcome = await (answer?.() ?? appender.append(...args));
          return loseAnswers ? { kind: 'uncertain' } : outcome;
        },
      },
      state: this.state,
      settled: this.settled,
      catalogue: this.catalogue,
      units: this.units,
      mayPublish,
      mayState,
      pseudonymKey: Buffer.alloc(32, 7),
      refusals: this.refusals,
      now: Date.now,
      limits: { indexMs: 2_000, ...options.limits },
      ...(options.budgets === undefined ? {} : { budgets: options.budgets }),
      report: {
        outcome: (name, count) => this.meter.push([name, count]),
        unwritable: (code, stream, partition) => this.unwritable.push(`${code} ${stream}/${partition}`),
      },
    });
  }

  #serve(publishing: Publishing, options: HubStageOptions): Promise<HttpServer> {
    const { reading, units, refusals, catalogue } = this;
    const guesses = new Guesses({
      missMs: 0,
      ...(options.budgets === undefined ? {} : { limits: options.budgets }),
    });
    return serveEdge(
      {
        doors: [publishDoor({ publishing }), readDoor({ reading, units, guesses })],
        authenticate: (h) => (h?.startsWith('Bearer ') === true ? this.keys.get(h.slice(7)) : undefined),
        log: { ...SILENT, error: (fields) => process.stderr.write(`${JSON.stringify(fields)}\n`) },
        limits: { recheckMs: 20, ...options.http },
        ...(options.budgets === undefined ? {} : { budgets: options.budgets }),
      },
      {
        controllers: [ReceiptsController, RefusalsController, WatchController],
        providers: [
          { provide: WATCH_DOOR, useValue: { units: this.units, catalogue: this.catalogue, findings: () => [] } },
          { provide: RECEIPTS_DOOR, useValue: { publishing, reading, guesses } },
          { provide: REFUSALS_DOOR, useValue: { refusals, units, catalogue } },
        ],
      },
    );
  }

  async project(): Promise<void> {
    this.projector = await openProjector({
      log: this.log,
      state: this.state,
      catalogue: this.catalogue,
      views: [],
      generations: new RowsInMemory(),
      copies: this.copies,
      now: Date.now,
    });
    await this.projector.join();
  }

  /** A valid event of a type as the holder of a key would send it, with a new id unless `more` has one. */
  event(type: string, by = 'kanim', more: Record<string, unknown> = {}, data: Record<string, unknown> = {}) {
    const made = { id: `E-${++serial}`, time: '2021-07-15T09:30:00+07:00' };
    const e = sampleEvent(this.catalogue.newest(type)!, 0, this.keys.get(by)!, this.units, made);
    const { subject: _subject, dataschema: _dataschema, ...rest } = e;
    return { ...rest, data: { ...e.data, ...data } as Record<string, unknown>, ...more } as Record<string, unknown> & {
      id: string;
      source: string;
      data: Record<string, unknown>;
    };
  }

  async close(): Promise<void> {
    for (const server of [this.server, ...this.#others]) await server.close();
    this.reading.close();
    await this.refusals.close();
    await this.projector?.close();
    await this.settled.close();
    await this.copies.close();
    await this.log.close();
    await this.state.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async ask(path: string, init: Ask = {}): Promise<Reply> {
    const r = await fetch(`${init.at ?? this.server.url}${path}`, {
      method: init.method ?? 'GET',
      headers: { authorization: `Bearer ${init.key ?? 'kanim'}`, ...init.headers },
      ...(init.body === undefined ? {} : { body: init.body }),
    });
    const text = await r.text();
    return { status: r.status, headers: r.headers, text, body: jsonOf(text) };
  }

  post(event: unknown, init: Ask & { readonly query?: string; readonly type?: string } = {}): Promise<Reply> {
    return this.ask(`/v1/events${init.query ?? ''}`, {
      ...init,
      method: 'POST',
      headers: { 'content-type': init.type ?? 'application/cloudevents+json', ...init.headers },
      body:
        typeof event === 'string' || Buffer.isBuffer(event) ? (event as Buffer<ArrayBuffer>) : JSON.stringify(event),
    });
  }

  /** Number of records in a stream. */
  async records(stream: string): Promise<number> {
    let n = 0;
    for (const { low, high } of await this.log.describe(stream)) n += Number(high - low);
    return n;
  }
}

let serial = 0;

export interface Ask {
  readonly method?: string;
  readonly key?: string;
  /** URL of another server. */
  readonly at?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer<ArrayBuffer> | undefined;
}

/** A JSON answer. `any`, because specs check it with matchers. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = Record<string, any>;
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
}

function jsonOf(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return {};
  }
}
