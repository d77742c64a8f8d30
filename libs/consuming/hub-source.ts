import { deferred, jittered, pause } from '#concurrency';
import { streamOf } from '#event';
import { isSdkFault, type Reader, type SdkFault } from '#sdk';
import { oneAhead } from './ahead.js';
import { ConsumerFault, remedyOf } from './fault.js';
import { eventsMissing, GAPS, placeOf, type Place } from './hub-place.js';
import type { Places } from './places.js';
import type { EventSource, Interest, Sink } from './port.js';

/** What a source tells while it reads. */
export interface HubSourceReport {
  /** Positions of records that the hub cannot read any more: no handler gets them. @default a line on stderr for each */
  readonly damaged?: (stream: string, positions: readonly string[]) => void;
  /** With `onGap: 'earliest'`: events are missing behind the place, or the stream was made again; reading begins at the oldest event. @default a line on stderr */
  readonly gap?: (stream: string, code: string) => void;
  /** The hub gives no page for a minute; it is asked on and on. Told again each minute. @default one line on stderr */
  readonly unreachable?: (stream: string, cause: SdkFault) => void;
  /** The hub gives pages again. @default a line on stderr */
  readonly reachable?: (stream: string) => void;
}

export interface HubSourceOptions {
  readonly reader: Pick<Reader, 'pages'>;
  readonly places: Places;
  /** Where a stream without a place begins: `earliest`, `latest`, a time, a position. @default earliest */
  readonly from?: string;
  /**
   * When the place does not exist any more (410, 412: retention removed events that were not read, or the stream was made again): `stop` ends with
   * `events_missing`, `earliest` tells it and reads from the oldest event on. @default stop
   */
  readonly onGap?: 'stop' | 'earliest';
  /** Only events that concern this unit. @default all that the key may read */
  readonly unit?: string;
  /** New events are pushed by the hub (server-sent events) instead of asked for by long poll: ReadOptions.follow. @default false */
  readonly live?: boolean;
  /**
   * At the end of a stream look again after about this time, ms (with jitter), instead of waiting for the next event: for many sources in one process that each want
   * few events of a busy stream. @default 0: waits
   */
  readonly pollMs?: number;
  /** Reads the types of all handlers from this stream, in the place of their own: `_simpul.test`. @default the stream of each type */
  readonly stream?: string;
  /** Events of a page, 1 to 1,000. @default 1,000 */
  readonly pageSize?: number;
  /** How long one page may take with its retries before `unreachable` is told, ms. @default 60,000 */
  readonly patienceMs?: number;
  /** How long stop() waits for handlers, ms. @default 25,000 */
  readonly stopMs?: number;
  readonly report?: HubSourceReport;
}

/** The long poll of a page, ms. */
const WAIT_MS = 20_000;

/**
 * Reads streams of the hub over HTTP, page by page, one feed for each stream. It waits for a hub that is away, also for days; it ends when the hub itself refuses:
 * a revoked key, a stream that the key may not read, a place that does not exist any more. One process for each group and store of places.
 */
export class HubSource implements EventSource {
  readonly #options: HubSourceOptions;
  readonly #stop = new AbortController();
  readonly #ready = deferred<void>();
  #unplaced = new Set<string>();
  #running: Promise<void> | undefined;

  constructor(options: HubSourceOptions) {
    this.#options = options;
  }

  /** Rejects with `ConsumerFault`: `refused`, `no_stream`, `events_missing`, or with what the store of places rejects with. */
  run(sink: Sink, { types }: Interest): Promise<void> {
    const { stream } = this.#options;
    this.#running = this.#follow(sink, stream === undefined ? byStream(types) : new Map([[stream, types]]));
    return this.#running;
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => undefined);
  }

  async #follow(sink: Sink, streams: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const { signal } = this.#stop;
    this.#unplaced = new Set(streams.keys());
    const feeds = [...streams].map(async ([stream, types]) => {
      try {
        await this.#stream(sink, stream, types);
      } catch (cause) {
        if (signal.aborted) return;
        this.#stop.abort();
        throw cause;
      } finally {
        await sink.revoke(stream, this.#options.stopMs ?? 25_000);
      }
    });
    const failed = (await Promise.allSettled(feeds)).find((r) => r.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #stream(sink: Sink, stream: string, types: readonly string[]): Promise<void> {
    const { reader, places, unit, live, pollMs = 0, pageSize = 1_000, patienceMs = 60_000, report } = this.#options;
    const follow = pollMs > 0 ? {} : live === true ? { follow: 'live' as const } : { follow: true, waitMs: WAIT_MS };
    const deadlineMs = (follow.waitMs ?? 0) + patienceMs;
    const { signal } = this.#stop;
    let place: Place = ownPlace(await places.load(stream)) ?? { from: this.#options.from ?? 'earliest' };
    let away = false;
    let { above } = place;
    while (!signal.aborted) {
      const wanted = { type: types, limit: pageSize, ...(unit === undefined ? {} : { unit }) };
      try {
        // Asked without waiting: the answer of a long poll at the end comes with the next event, and until then nobody knows where it began.
        if (place.cursor === undefined && place.from === 'latest')
          for await (const { next } of reader.pages(stream, { from: 'latest', ...wanted, deadlineMs, signal })) {
            place = { cursor: next };
            break;
          }
        this.#placed(stream);
        const { cursor, from } = place;
        const at = cursor === undefined ? { from: from ?? 'earliest' } : { cursor };
        const pages = reader.pages(stream, { ...at, ...wanted, ...follow, deadlineMs, signal });
        for await (const page of oneAhead(pages)) {
          if (away) (report?.reachable ?? printBack)(stream);
          away = false;
          if (page.damaged !== undefined) (report?.damaged ?? printDamaged)(stream, page.damaged);
          const begin = place;
          place = { cursor: page.next };
          const { events, next } = page;
          await sink.deliver({
            feed: stream,
            events: events.map((event) => ({ event })),
            ...(page.bytes === undefined ? {} : { bytes: page.bytes }),
            ...(above === undefined ? {} : { above }),
            commit: async (count, now) => {
              const { above: _former, ...start } = begin;
              const stored: Place = count >= events.length ? { cursor: next } : start;
              await places.save(stream, JSON.stringify(now === undefined ? stored : { ...stored, above: now }));
            },
          });
          above = undefined;
          if (signal.aborted) return;
        }
        if (pollMs > 0) await pause(jittered(pollMs), signal);
      } catch (cause) {
        if (signal.aborted || !isSdkFault(cause)) throw cause;
        if (cause.retryable) {
          if (report?.unreachable !== undefined) report.unreachable(stream, cause);
          else if (!away) printAway(stream, cause);
          away = true;
          await pause(jittered(1_000), signal);
        } else if (GAPS.has(cause.code) && this.#options.onGap === 'earliest') {
          (report?.gap ?? printGap)(stream, cause.code);
          place = { from: 'earliest' };
          above = undefined;
        } else throw faultOf(stream, types, cause);
      }
    }
  }

  #placed(stream: string): void {
    if (this.#unplaced.delete(stream) && this.#unplaced.size === 0) this.#ready.resolve();
  }
}

/** A place that was moved to a subscription is read from no more: that one goes on. */
function ownPlace(text: string | undefined): Place | undefined {
  const place = placeOf(text);
  return place?.moved === undefined ? place : undefined;
}

function byStream(types: readonly string[]): Map<string, string[]> {
  const streams = new Map<string, string[]>();
  for (const type of types) {
    const list = streams.get(streamOf(type));
    if (list === undefined) streams.set(streamOf(type), [type]);
    else list.push(type);
  }
  return streams;
}

function faultOf(stream: string, types: readonly string[], cause: SdkFault): ConsumerFault {
  const { code, status } = cause;
  if (GAPS.has(code)) return eventsMissing(stream, cause);
  if (status === 404 || code === 'invalid_query')
    return new ConsumerFault(
      'no_stream',
      `the hub gives this key no events of ${stream} (${types.join(', ')}): the type does not exist, or the key may not read it. \`simpul stream ls\` lists what it may read`,
      cause,
    );
  const remedy = remedyOf(status) ?? 'Ask the operator of the hub';
  return new ConsumerFault('refused', `the hub refuses to give ${stream}: ${cause.message}. ${remedy}`, cause);
}

function printDamaged(_stream: string, positions: readonly string[]): void {
  for (const position of positions) process.stderr.write(`corrupt_record ${position}\n`);
}

export function printGap(stream: string, code: string): void {
  process.stderr.write(`gap ${stream} ${code}\n`);
}

export function printAway(stream: string, { message }: SdkFault): void {
  process.stderr.write(`away ${stream} ${message}: asking on\n`);
}

export function printBack(stream: string): void {
  process.stderr.write(`back ${stream}\n`);
}
