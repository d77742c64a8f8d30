import { sourceOf } from '#access';
import { hubCaller, ownEvent, toldOf } from '#core';
import { fromHeaders } from '#event';
import { innermostMessage, type Fault } from '#faults';
import type { EventLog } from '#log';
import type { Offered, Publishing } from '#publishing';
import type { EventType, Registry } from '#registry';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

export const VERSION_REGISTERED = 'simpul.katalog.versi-terdaftar';
const CALLER = hubCaller('catalogue');
export const CATALOGUE_SOURCE = sourceOf(CALLER);

export interface AnnouncerDeps {
  readonly log: Pick<EventLog, 'describe' | 'read'>;
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
  /** Where reading of the stream goes on, by partition. */
  readonly #next = new Map<number, bigint>();
  readonly #closing = new AbortController();
  readonly #stop: () => void;
  #dirty = true;
  #work: Promise<void> | undefined;

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
    this.#stop = deps.registry.onRegistered(() => {
      this.#dirty = true;
      this.#start();
    });
    this.#start();
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

  #start(): void {
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
      if (this.#dirty && !this.#closing.signal.aborted) this.#start();
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
    await this.#readTold(own.stream);
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

  /** Ids of this source that lie in the stream, as far as it reaches now: the duplicate index forgets after eight days, the log does not. */
  async #readTold(stream: string): Promise<void> {
    const { log } = this.#deps;
    for (const { partition, low, high } of await log.describe(stream)) {
      let from = this.#next.get(partition) ?? low;
      while (from < high && !this.#closing.signal.aborted) {
        const batch = await log.read(stream, partition, from);
        if (batch.kind === 'out_of_range') break;
        for (const r of batch.records) {
          const e = fromHeaders(r.headers);
          if (e?.source === CATALOGUE_SOURCE && e.type === VERSION_REGISTERED) this.#told.add(e.id);
        }
        if (batch.next <= from) break;
        from = batch.next;
      }
      this.#next.set(partition, from);
    }
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
