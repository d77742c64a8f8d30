import { jittered, pause } from '#concurrency';
import type { FeedBatch, ReceivedEvent, Sink } from '#consuming';
import { fitsCheck, shownEvent } from '#event';
import { CodecMissing, endOf, takeRecords, type AbortedTransaction, type FetchedBatches } from '#kafka-records';
import type { LogRecord } from '#log';
import { envelopeOf, openRecord, type Catalogue } from '#registry';
import type { ReadEvent } from '#sdk';
import { CODECS } from './codecs.js';
import type { MissingSchema } from './lines.js';
import type { Tables } from './tables.js';

/** Records of one batch that are looked at, and their bytes: how long the event loop is held. */
const SCAN_RECORDS = 2_000;
const SCAN_BYTES = 1_048_576;
/** What an event takes beside the bytes of its record. */
const EVENT_BYTES = 500;
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
  /** Record batches came with a wrong checksum: they are fetched again. */
  corrupt(position: string, cause: unknown): void;
  /** Asked again and again until schemaFound(). */
  schemaMissing(missing: MissingSchema): void;
  schemaFound(): void;
  /** The first record that was fetched lies behind the settled end. */
  unsettled(position: string): void;
  /** It does not any more. */
  settled(): void;
  closed(): void;
  failed(error: unknown): void;
}

interface Fetched extends FetchedBatches {
  /** Its first batch may begin below. */
  readonly from: number;
  /** Behind its last record. */
  readonly end: number;
  /** Bytes that were not looked at. */
  left: number;
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
  /** Of the next record that is looked at, or below it. */
  #next: number;
  #bytes = 0;
  /** First offset that was not delivered. */
  #begin: number;
  #isFirst = true;
  #halted = false;
  #wake: (() => void) | undefined;
  #closing = new AbortController();
  readonly maxBytes: number;

  constructor(deps: FeedDeps, from: number, maxBytes: number) {
    this.#deps = deps;
    this.name = `${deps.stream}/${deps.partition}`;
    this.#expected = from;
    this.#next = from;
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

  /** Takes what is fetched. */
  get isOpen(): boolean {
    return !this.#halted && !this.isClosed;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  take(bytes: Buffer, aborted: readonly AbortedTransaction[]): void {
    const end = endOf(bytes);
    if (!this.isOpen || end === undefined || Number(end) <= this.#expected) return;
    const from = this.#expected;
    this.#bytes += bytes.length;
    this.#expected = Number(end);
    this.#queue.push({ bytes, committed: false, aborted, from, end: this.#expected, left: bytes.length });
    this.wake();
  }

  /** Nothing is fetched any more below this offset, which lies behind all that was. What was fetched is still delivered. */
  skipTo(offset: number): void {
    this.#expected = offset;
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
    this.#deps.closed();
    this.wake();
  }

  async #run(): Promise<void> {
    const { stream, partition, tables, sink } = this.#deps;
    while (!this.isClosed) {
      if (this.#queue.length === 0 || this.#next >= Number(tables.end(stream, partition))) {
        if (this.#queue.length > 0) this.#deps.unsettled(`${this.name}/${this.#next}`);
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
        continue;
      }
      this.#deps.settled();
      const batch = await this.#cut();
      if (batch !== undefined) this.#deps.schemaFound();
      if (batch === undefined || !this.isOpen) continue;
      this.#deps.counts.delivered += batch.events.length;
      await sink.deliver(batch);
    }
  }

  /** What lies below the settled end, up to the limits of a batch. undefined: nothing yet; when a schema is missing at the first record, some time has passed. */
  async #cut(): Promise<FeedBatch | undefined> {
    const { stream, partition, tables, batchEvents, counts } = this.#deps;
    const end = Number(tables.end(stream, partition));
    const events: ReceivedEvent[] = [];
    const behind: number[] = [];
    const begin = this.#begin;
    const first = this.#next;
    let bytes = 0;
    let isOver = false;
    for (let scanned = 0; !isOver && this.#next < end && scanned < SCAN_RECORDS && bytes < SCAN_BYTES;) {
      const head = this.#queue[0];
      if (head === undefined) break;
      const most = Math.min(SCAN_RECORDS - scanned, batchEvents - events.length, end - this.#next);
      if (most <= 0) break;
      const taken = this.#records(head, most, SCAN_BYTES - bytes);
      if (taken === undefined) break;
      for (const record of taken.records) {
        const offset = Number(record.offset);
        this.#next = offset;
        isOver = offset >= end;
        if (isOver) break;
        if (tables.isCopy(stream, partition, record.offset)) counts.copies++;
        else {
          const position = `${this.name}/${offset}`;
          const opened = openStored(record, position, this.#deps);
          if (typeof opened === 'number') {
            // What lies before it is delivered first.
            isOver = true;
            if (offset > first || events.length > 0) break;
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
        bytes += EVENT_BYTES + (record.size ?? 0);
        this.#next = offset + 1;
      }
      if (isOver) break;
      this.#next = Number(taken.next);
      head.left -= taken.size;
      this.#bytes -= taken.size;
      if (this.#next >= head.end) {
        this.#bytes -= head.left;
        this.#queue.shift();
      }
    }
    if (this.#bytes < this.maxBytes / 2) this.#deps.drained();
    if (this.#next === first) return undefined;
    const next = this.#next;
    this.#begin = next;
    const commit = (count: number, finished?: string): Promise<void> => {
      if (this.isClosed) return Promise.reject(new Error(`${this.name} is not assigned to this process any more`));
      return this.#deps.store(count >= events.length ? next : count > 0 ? behind[count - 1]! : begin, finished);
    };
    const above = this.#isFirst ? this.#deps.above : undefined;
    this.#isFirst = false;
    return { feed: this.name, events, bytes, commit, ...(above === undefined ? {} : { above }) };
  }

  /** undefined: the batches are damaged on their way, and are fetched again. Throws for a compression that this process lacks. */
  #records(head: Fetched, maxRecords: number, maxBytes: number): ReturnType<typeof takeRecords> | undefined {
    try {
      const at = { from: BigInt(Math.max(this.#next, head.from)), lastEpoch: undefined };
      return takeRecords(head, at, { maxRecords, maxBytes }, CODECS);
    } catch (cause) {
      if (cause instanceof CodecMissing) throw new Error(`${this.name}/${this.#next}: ${cause.message}`, { cause });
      this.#queue.length = 0;
      this.#bytes = 0;
      this.#expected = this.#next;
      this.#deps.corrupt(`${this.name}/${this.#next}`, cause);
      return undefined;
    }
  }

  async #lookFor(schemaId: number, position: string): Promise<void> {
    try {
      if ((await this.#deps.tables.typeOf(schemaId)) !== undefined) return;
      if (!this.isClosed) this.#deps.schemaMissing({ position, schemaId });
    } catch {
      // The table cannot be read: that is told as such.
    }
    await pause(jittered(RETRY_MS), this.#closing.signal);
  }
}

/**
 * The event of a record, as a page of the hub shows it to a reader at level full. `foreign`: no gateway wrote it (R10.1). `other`: of a type without a handler. A
 * number: the id of a schema that is not known.
 */
export function openStored(
  record: LogRecord,
  position: string,
  {
    types,
    tables,
  }: { readonly types: ReadonlySet<string>; readonly tables: { readonly catalogue: Pick<Catalogue, 'bySchemaId'> } },
): ReceivedEvent | 'foreign' | 'damaged' | 'other' | number {
  const envelope = record.damaged ? undefined : envelopeOf(record);
  // Its type is known to be right: the digest of an event that nobody wants need not be computed.
  if (envelope !== undefined && !types.has(envelope.type) && envelope.crc !== undefined && record.value !== null) {
    if (record.foreign) return 'foreign';
    return fitsCheck(envelope) ? 'other' : 'damaged';
  }
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
