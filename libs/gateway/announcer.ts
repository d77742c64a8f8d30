import { sourceOf } from '#access';
import { jittered, pause } from '#concurrency';
import { hubCaller, ownEvent, ownOutcomes } from '#core';
import { innermostMessage, type Fault } from '#faults';
import type { Offered, Publishing } from '#publishing';
import { HUB, type Reading } from '#reading';
import type { EventType, Registry, StreamInfo } from '#registry';
import { createHash } from 'node:crypto';

export const VERSION_REGISTERED = 'simpul.katalog.versi-terdaftar';
const TYPES = new Set([VERSION_REGISTERED]);
const CALLER = hubCaller('catalogue');
export const CATALOGUE_SOURCE = sourceOf(CALLER);

export interface AnnouncerReport {
  /** An attempt failed and is retried, or an announcement was refused for good; `cause` is for a log line. */
  readonly failed?: (cause: string) => void;
}

export interface AnnouncerDeps {
  readonly reading: Pick<Reading, 'begin' | 'readEvents'>;
  readonly registry: Pick<Registry, 'catalogue' | 'schemas' | 'onRegistered'>;
  readonly publishing: Pick<Publishing, 'publish'>;
  readonly report?: AnnouncerReport;
  /** Pause before the next attempt when the log or the publish path failed, ms. @default 2,000 */
  readonly retryMs?: number;
}

/**
 * Publishes `simpul.katalog.versi-terdaftar`: one event for every version of an event type, registered before or later, by this or another process.
 * Each version is announced once: what the stream already holds is read first, and the event id is made of type and version, so that a second
 * process that announces at the same moment only makes a duplicate. What is announced is read with `#reading` and not followed as a table of
 * `#table`, because it lies in a stream (partitions, copies, settled end), not in a control topic.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps;
  /** Event ids that lie in the stream, or were refused for good. */
  readonly #announced = new Set<string>();
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

  /** Resolves when every version registered so far is announced, was refused for good, or this was closed. */
  async idle(): Promise<void> {
    while (this.#work) await this.#work;
  }

  async close(): Promise<void> {
    this.#stop();
    this.#closing.abort();
    await this.idle();
  }

  /** Announces what the stream does not hold yet, now and after every later registration. */
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
      const done = await this.#announceMissing().catch((e: unknown) => {
        this.#deps.report?.failed?.(innermostMessage(e));
        return false;
      });
      if (done) continue;
      this.#dirty = true;
      await pause(jittered(this.#deps.retryMs ?? 2_000), this.#closing.signal);
    }
  }

  /** false: at least one version may not be announced yet; try again later. */
  async #announceMissing(): Promise<boolean> {
    const { catalogue, schemas } = this.#deps.registry;
    const own = catalogue.newest(VERSION_REGISTERED);
    if (own === undefined) return true;
    const stream = catalogue.stream(own.stream);
    if (stream === undefined || !(await this.#readAnnounced(stream))) return false;
    const missing = catalogue
      .types()
      .flatMap((t) => catalogue.versions(t.type))
      .filter((t) => !this.#announced.has(idOf(t)));
    if (missing.length === 0) return true;
    const offered = missing.map((t) => offer(t, schemas.byId(t.schemaId)?.schema ?? ''));
    const answer = await this.#deps.publishing.publish(offered, { caller: CALLER, partial: true });
    let done = true;
    for (const [i, outcome] of ownOutcomes(answer).entries()) {
      if (outcome === 'retry') {
        done = false;
        continue;
      }
      this.#announced.add(idOf(missing[i]!));
      if (outcome !== 'published') this.#deps.report?.failed?.(textOf(outcome));
    }
    return done;
  }

  /**
   * Reads which announcements the stream holds: the duplicate index forgets after eight days, the log does not. false: the settled end has not
   * reached the log end yet.
   */
  async #readAnnounced(stream: StreamInfo): Promise<boolean> {
    const { reading } = this.#deps;
    this.#next ??= (await reading.begin(stream, { from: 'earliest' })).next;
    while (!this.#closing.signal.aborted) {
      const range = { stream, next: this.#next, missing: 'skip' } as const;
      const page = await reading.readEvents(HUB, range, { types: TYPES }, { limit: 1_000 });
      for (const { envelope } of page.events)
        if (envelope.source === CATALOGUE_SOURCE) this.#announced.add(envelope.id);
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
