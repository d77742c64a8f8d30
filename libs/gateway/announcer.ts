import { sourceOf } from '#access';
import { hubCaller, ownEvent, toldOf } from '#core';
import { innermostMessage, type Fault } from '#faults';
import type { Offered, Publishing } from '#publishing';
import { HUB, type Reading } from '#reading';
import type { EventType, Registry, StreamInfo } from '#registry';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

export const VERSION_REGISTERED = 'simpul.katalog.versi-terdaftar';
const TYPES = new Set([VERSION_REGISTERED]);
const CALLER = hubCaller('catalogue');
export const CATALOGUE_SOURCE = sourceOf(CALLER);

export interface AnnouncerDeps {
  readonly reading: Pick<Reading, 'begin' | 'readEvents'>;
  readonly registry: Pick<Registry, 'catalogue' | 'schemas' | 'onRegistered'>;
  readonly publishing: Pick<Publishing, 'publish'>;
  readonly onTrouble: (cause: string) => void;
  /** Between tries while the log is away. @default 2 s */
  readonly retryMs?: number;
}

/**
 * The hub's own publisher of `simpul.katalog.versi-terdaftar`: one event for every version of an event type that is registered, now or later, by whomever.
 * Once in effect: the stream itself says what was told, and the id is made of type and version, so that a second process only repeats the first.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps;
  readonly #told = new Set<string>();
  /** Next offset of the stream to read, by partition number; undefined before the first read. */
  #next: readonly bigint[] | undefined;
  readonly #closing = new AbortController();
  readonly #stop: () => void;
  #dirty = true;
  #started = false;
  #work: Promise<void> | undefined;

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
    this.#stop = deps.registry.onRegistered(() => {
      this.#dirty = true;
      if (this.#started) this.start();
    });
  }

  /** Resolves when everything registered so far was told (or refused, or this was closed). */
  async told(): Promise<void> {
    while (this.#work) await this.#work;
  }

  async close(): Promise<void> {
    this.#stop();
    this.#closing.abort();
    await this.told();
  }

  /** Begins to publish what is not in the stream yet; from now on also what is registered later. */
  start(): void {
    this.#started = true;
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
      if (this.#dirty && !this.#closing.signal.aborted) this.start();
    });
  }

  async #run(): Promise<void> {
    while (this.#dirty && !this.#closing.signal.aborted) {
      this.#dirty = false;
      const done = await this.#tell().catch((e: unknown) => {
        this.#deps.onTrouble(innermostMessage(e));
        return false;
      });
      if (done) continue;
      this.#dirty = true;
      await pause(this.#deps.retryMs ?? 2_000, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** false: not all is certain, again later. */
  async #tell(): Promise<boolean> {
    const { catalogue, schemas } = this.#deps.registry;
    const own = catalogue.newest(VERSION_REGISTERED);
    if (own === undefined) return true;
    const stream = catalogue.stream(own.stream);
    if (stream === undefined || !(await this.#readAnnounced(stream))) return false;
    const lacking = catalogue
      .types()
      .flatMap((t) => catalogue.versions(t.type))
      .filter((t) => !this.#told.has(idOf(t)));
    if (lacking.length === 0) return true;
    const offered = lacking.map((t) => offer(t, schemas.byId(t.schemaId)?.schema ?? ''));
    const answer = await this.#deps.publishing.publish(offered, { caller: CALLER, partial: true });
    let certain = true;
    for (const [i, told] of toldOf(answer).entries()) {
      if (told === 'again') {
        certain = false;
        continue;
      }
      this.#told.add(idOf(lacking[i]!));
      if (told !== 'told') this.#deps.onTrouble(textOf(told));
    }
    return certain;
  }

  /**
   * Reads which announcements lie in the stream: the duplicate index forgets after eight days, the log does not. false: not read to the log end,
   * because the settled end has not reached it yet.
   */
  async #readAnnounced(stream: StreamInfo): Promise<boolean> {
    const { reading } = this.#deps;
    this.#next ??= (await reading.begin(stream, { from: 'earliest' })).next;
    while (!this.#closing.signal.aborted) {
      const range = { stream, next: this.#next, missing: 'skip' } as const;
      const page = await reading.readEvents(HUB, range, { types: TYPES }, { limit: 1_000 });
      for (const { envelope } of page.events) if (envelope.source === CATALOGUE_SOURCE) this.#told.add(envelope.id);
      this.#next = page.next;
      if (page.stopped === 'end') return true;
      if (page.stopped === 'unsettled') return false;
    }
    return false;
  }
}

const idOf = (t: EventType): string => `${t.type}:${t.version}`;

const textOf = (fault: Fault): string =>
  [fault.code, ...fault.problems.map((p) => `${p.pointer} ${p.reason}`)].join(' ');

function offer(t: EventType, schema: string): Offered {
  const time = new Date(t.registeredMs).toISOString();
  const data = {
    jenis: t.type,
    versi: t.version,
    skemaId: t.schemaId,
    sidikJari: createHash('sha256').update(schema).digest('hex'),
    pemilik: t.owner,
    waktu: time,
  };
  return ownEvent(CALLER, { id: idOf(t), type: VERSION_REGISTERED, time, data });
}
