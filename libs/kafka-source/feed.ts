import { jittered, pause } from '#concurrency';
import type { FeedBatch, ReceivedEvent, Sink } from '#consuming';
import { fitsCheck, fromHeaders, shownEvent } from '#event';
import { openRecord, type Catalogue } from '#registry';
import type { ReadEvent } from '#sdk';
import { headersOf, type RawMessage } from './cluster-log.js';
import type { Tables } from './tables.js';

/** Records of one batch that are looked at, and their bytes: how long the event loop is held. */
const SCAN_RECORDS = 2_000;
const SCAN_BYTES = 1_048_576;
/** What a record takes beside its value. */
const RECORD_BYTES = 1_000;
const MISSING_MS = 30_000;
const RETRY_MS = 1_000;
const FRAME_BYTES = 5;

export interface FeedDeps {
  readonly stream: string;
  readonly partition: number;
  readonly sink: Sink;
  readonly tables: Pick<Tables, 'end' | 'isCopy' | 'typeOf' | 'catalogue'>;
  /** Event types that have a handler. */
  readonly types: ReadonlySet<string>;
  readonly batchEvents: number;
  readonly counts: { delivered: number; copies: number; foreign: number; damaged: number };
  /** Stores the next offset to read. */
  store(offset: number, above: string | undefined): Promise<void>;
  /** What was stored as finished behind the first offset. */
  readonly above?: string | undefined;
  /** The buffer has room again. */
  drained(): void;
  damaged(position: string): void;
  schemaMissing(position: string, schemaId: number): void;
  failed(error: unknown): void;
}

interface Fetched {
  readonly messages: readonly RawMessage[];
  at: number;
}

/**
 * One partition of a stream: records as they were fetched wait here until the settled end has passed them (R2.3); then they become events and are delivered, batch
 * by batch. What the hub would not show to a reader at level full is passed over: copies, foreign records, damaged records.
 */
export class Feed {
  readonly name: string;
  readonly #deps: FeedDeps;
  readonly #queue: Fetched[] = [];
  #expected: number;
  #bytes = 0;
  /** First offset that was not delivered. */
  #begin: number;
  #isFirst = true;
  #halted = false;
  #wake: (() => void) | undefined;
  #closing = new AbortController();
  /** Told at most every 30 s. */
  #toldMissing = Number.NEGATIVE_INFINITY;
  readonly maxBytes: number;

  constructor(deps: FeedDeps, from: number, maxBytes: number) {
    this.#deps = deps;
    this.name = `${deps.stream}/${deps.partition}`;
    this.#expected = from;
    this.#begin = from;
    this.maxBytes = maxBytes;
    void this.#run().catch((error: unknown) => {
      if (!this.isClosed) deps.failed(error);
    });
  }

  /** First offset that was not fetched. */
  get expected(): number {
    return this.#expected;
  }

  get isFull(): boolean {
    return this.#bytes >= this.maxBytes;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  take(messages: readonly RawMessage[]): void {
    if (this.#halted || this.isClosed || messages.length === 0) return;
    for (const m of messages) this.#bytes += sizeOf(m);
    this.#expected = Number(messages.at(-1)!.offset) + 1;
    this.#queue.push({ messages, at: 0 });
    this.wake();
  }

  /** The settled end has moved. */
  wake(): void {
    this.#wake?.();
  }

  /** Delivers nothing from now on; what was delivered may still be stored. */
  halt(): void {
    this.#halted = true;
    this.#queue.length = 0;
  }

  /** Delivers and stores nothing from now on. */
  close(): void {
    this.#closing.abort();
    this.#queue.length = 0;
    this.wake();
  }

  async #run(): Promise<void> {
    const { stream, partition, tables, sink } = this.#deps;
    while (!this.isClosed) {
      const head = this.#queue[0];
      if (head === undefined || Number(head.messages[head.at]!.offset) >= Number(tables.end(stream, partition))) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
        continue;
      }
      const batch = await this.#next();
      if (batch === undefined || this.#halted || this.isClosed) continue;
      this.#deps.counts.delivered += batch.events.length;
      await sink.deliver(batch);
    }
  }

  /** What lies below the settled end, up to the limits of a batch. undefined: a schema is missing at the first record, and some time has passed. */
  async #next(): Promise<FeedBatch | undefined> {
    const { stream, partition, tables, batchEvents, counts } = this.#deps;
    const end = Number(tables.end(stream, partition));
    const events: ReceivedEvent[] = [];
    const behind: number[] = [];
    const begin = this.#begin;
    let next = -1;
    let bytes = 0;
    for (let scanned = 0; scanned < SCAN_RECORDS && bytes < SCAN_BYTES && events.length < batchEvents;) {
      const head = this.#queue[0];
      const message = head?.messages[head.at];
      if (head === undefined || message === undefined) break;
      const offset = Number(message.offset);
      if (offset >= end) break;
      if (tables.isCopy(stream, partition, BigInt(offset))) counts.copies++;
      else {
        const position = `${this.name}/${offset}`;
        const opened = openMessage(message, position, this.#deps);
        if (typeof opened === 'number') {
          // What lies before it is delivered first.
          if (next >= 0) break;
          await this.#lookFor(opened, position);
          return undefined;
        }
        if (opened === 'foreign') counts.foreign++;
        else if (opened === 'damaged') {
          counts.damaged++;
          this.#deps.damaged(position);
        } else if (opened !== 'other') {
          events.push(opened);
          behind.push(offset + 1);
        }
      }
      scanned++;
      bytes += sizeOf(message);
      next = offset + 1;
      if (++head.at === head.messages.length) this.#queue.shift();
    }
    this.#bytes -= bytes;
    this.#begin = next;
    if (this.#bytes < this.maxBytes / 2) this.#deps.drained();
    const commit = (count: number, finished?: string): Promise<void> => {
      if (this.isClosed) return Promise.reject(new Error(`${this.name} is not assigned to this process any more`));
      return this.#deps.store(count >= events.length ? next : count > 0 ? behind[count - 1]! : begin, finished);
    };
    const above = this.#isFirst ? this.#deps.above : undefined;
    this.#isFirst = false;
    return { feed: this.name, events, bytes, commit, ...(above === undefined ? {} : { above }) };
  }

  async #lookFor(schemaId: number, position: string): Promise<void> {
    const found = await this.#deps.tables.typeOf(schemaId).catch(() => undefined);
    if (found !== undefined) return;
    if (performance.now() - this.#toldMissing > MISSING_MS) {
      this.#toldMissing = performance.now();
      this.#deps.schemaMissing(position, schemaId);
    }
    await pause(jittered(RETRY_MS), this.#closing.signal);
  }
}

export function sizeOf({ value }: RawMessage): number {
  return RECORD_BYTES + (value?.length ?? 0);
}

/**
 * The event of a record, as a page of the hub shows it to a reader at level full. `foreign`: no gateway wrote it (R10.1). `other`: of a type without a handler. A
 * number: the id of a schema that is not known.
 */
export function openMessage(
  message: RawMessage,
  position: string,
  {
    types,
    tables,
  }: { readonly types: ReadonlySet<string>; readonly tables: { readonly catalogue: Pick<Catalogue, 'bySchemaId'> } },
): ReceivedEvent | 'foreign' | 'damaged' | 'other' | number {
  const { key, value, batchContext } = message;
  const headers = headersOf(message);
  const envelope = fromHeaders(headers);
  // Its type is known to be right: the digest of an event that nobody wants need not be computed.
  if (envelope !== undefined && !types.has(envelope.type) && envelope.crc !== undefined && value !== null) {
    if (batchContext?.inTransaction === true) return 'foreign';
    return fitsCheck(envelope) ? 'other' : 'damaged';
  }
  const record = { key, value, headers, ...(batchContext?.inTransaction === true ? { foreign: true as const } : {}) };
  const opened = openRecord(record, tables.catalogue, envelope);
  if (opened.kind === 'corrupt') return 'damaged';
  if (opened.kind === 'foreign') return 'foreign';
  if (opened.kind === 'unknown_schema') return opened.schemaId;
  const { type, frame } = opened;
  if (!types.has(type.type)) return 'other';
  let data: unknown;
  try {
    data = type.contract.decode(frame, { framed: true });
  } catch {
    return 'damaged';
  }
  const event = shownEvent(opened.envelope, { digest: opened.envelope.digest, data, position });
  return {
    event: event as unknown as ReadEvent,
    writer: { version: type.version, schema: type.contract.schemaText, bytes: frame.subarray(FRAME_BYTES) },
  };
}
