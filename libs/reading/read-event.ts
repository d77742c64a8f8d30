import { EventLevels, idsIn, maskData, type Caller, type ReadLevel } from '#access';
import type { InSteps } from '#avro';
import { formatPosition, OPEN_EXTENSIONS, type ReadEnvelope } from '#event';
import type { LogRecord } from '#log';
import {
  decodeEvent,
  openRecord,
  type Catalogue,
  type DecodedEvent,
  type EventRecord,
  type EventType,
} from '#registry';
import type { Units } from '#units';
import { isLarge } from './large.js';

/** The hub itself as a reader: it reads every event in full. Never for a request of somebody else. */
export const HUB = 'hub';
export type Reader = Caller | typeof HUB;

/** Conditions that an event must fulfil, all of them. */
export interface EventFilter {
  readonly types?: ReadonlySet<string> | undefined;
  readonly subject?: string | undefined;
  /** The id of the unit that sent the event, or that stands in a unit field of its data as the reader sees it. */
  readonly unit?: string | undefined;
  /** Show copies too (R2.3), each with the position of its original. @default false */
  readonly copies?: boolean | undefined;
}

/** One event as one reader may see it. */
export interface ReadEvent {
  readonly partition: number;
  readonly offset: bigint;
  /** `stream/partition/offset` */
  readonly position: string;
  readonly type: EventType;
  readonly envelope: Omit<ReadEnvelope, 'digest'>;
  readonly level: Exclude<ReadLevel, 'none'>;
  /** Plain JSON; masked at level `masked`. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Only at level `full`: SHA-256 of key and value, and the value as it lies in the log (V0 Avro frame). */
  readonly stored?: { readonly digest: Buffer; readonly frame: Buffer };
  /** Size of the value in the log, bytes. */
  readonly bytes: number;
  /** Position of the original, when this event is a copy. */
  readonly copyOf?: string | undefined;
}

export interface Rights {
  readonly catalogue: Catalogue;
  readonly units: Units;
  /** See Schemas. */
  readonly refresh?: (() => Promise<void>) | undefined;
}

export interface RecordPlace {
  readonly stream: string;
  readonly partition: number;
  /** Offset of the original, when the record is a copy. */
  readonly original: bigint | undefined;
}

/** A record that a gateway wrote and that cannot be read any more, or whose schema this process does not know, see learnSchema(). */
export const DAMAGED = 'damaged';

/** Large events that readers come past together, for as long as their records are kept: each is checked, decoded and masked once. */
const shared = new WeakMap<LogRecord, LoggedEvent>();

/** An event as it lies in the log, for any number of readers. Its data is decoded when it is first asked for. */
export class LoggedEvent {
  readonly #opened: EventRecord;
  readonly #place: RecordPlace;
  #decoded: DecodedEvent | undefined;
  #broken = false;
  /** What unit fields show at a level. Readers of a live stream ask for a hundred units of one event. */
  #units: Partial<Record<ReadEvent['level'], ReadonlySet<string>>> | undefined;
  /** Only of a large event. */
  #seen: Partial<Record<ReadEvent['level'], ReadEvent>> | undefined;

  private constructor(opened: EventRecord, place: RecordPlace) {
    this.#opened = opened;
    this.#place = place;
  }

  /** undefined: the record is no event of a gateway (R10). */
  static open(record: LogRecord, place: RecordPlace, catalogue: Catalogue): LoggedEvent | typeof DAMAGED | undefined {
    const isShared = isLarge(record);
    const known = isShared ? shared.get(record) : undefined;
    if (known !== undefined && known.#place.original === place.original) return known;
    const opened = openRecord(record, catalogue);
    if (opened.kind === 'foreign') return undefined;
    if (opened.kind !== 'event') return DAMAGED;
    const event = new LoggedEvent(opened, place);
    if (isShared) {
      event.#seen = {};
      shared.set(record, event);
    }
    return event;
  }

  get record(): LogRecord {
    return this.#opened.record;
  }

  /** Name of the stream that it was read from. */
  get stream(): string {
    return this.#place.stream;
  }

  get partition(): number {
    return this.#place.partition;
  }

  /** `stream/partition/offset` */
  get position(): string {
    return formatPosition(this.#place.stream, this.#place.partition, this.record.offset);
  }

  get isCopy(): boolean {
    return this.#place.original !== undefined;
  }

  /** Name of its type. */
  get type(): string {
    return this.#opened.envelope.type;
  }

  get subject(): string {
    return this.#opened.envelope.subject;
  }

  /** All of it: for the hub alone. What a reader may see of it, as() says. */
  get envelope(): Omit<ReadEnvelope, 'digest'> {
    return this.#opened.envelope;
  }

  /** Whether the event fulfils the conditions on what every reader of it sees. The condition on the unit depends on the level: showsUnit(). */
  matches({ types, subject, copies }: EventFilter): boolean {
    const { envelope } = this.#opened;
    if (this.#place.original !== undefined && copies !== true) return false;
    if (types !== undefined && !types.has(envelope.type)) return false;
    return subject === undefined || envelope.subject === subject;
  }

  /** Whether a reader of this level sees the unit that the filter asks for: a masked field answers no question (R12.3). Call it only after levels(). */
  showsUnit({ unit }: EventFilter, level: ReadEvent['level']): boolean {
    if (unit === undefined || this.#opened.envelope.extensions['unitasal'] === unit) return true;
    return ((this.#units ??= {})[level] ??= this.#unitsAt(level)).has(unit);
  }

  #unitsAt(level: ReadEvent['level']): ReadonlySet<string> {
    const { type, data } = this.#event()!;
    const { unitFields } = type;
    const fields = type.contract.fields.filter(({ name }) => unitFields.includes(name));
    const shown = level === 'full' ? data : maskData({ fields }, data as Record<string, unknown>);
    return new Set(unitFields.flatMap((field) => idsIn(shown, field)));
  }

  /** The levels of readers, by the unit tree of today (R12); undefined when the data cannot be decoded with its schema. */
  levels(units: Units): Pick<EventLevels, 'of' | 'among'> | undefined {
    const event = this.#event();
    if (event === undefined) return undefined;
    return new EventLevels(event.type, { source: event.envelope.source, data: event.data }, units);
  }

  /** As a reader of this level sees it. Call it only after levels(). */
  as(level: ReadEvent['level']): ReadEvent {
    if (this.#seen === undefined) return this.#as(level);
    return (this.#seen[level] ??= this.#as(level));
  }

  #as(level: ReadEvent['level']): ReadEvent {
    const { stream, partition, original } = this.#place;
    const { type, envelope, position, offset, data } = this.#event()!;
    const { frame } = this.#opened;
    const copyOf = original === undefined ? undefined : formatPosition(stream, partition, original);
    const seen = { partition, offset, position, type, envelope, bytes: frame.length, copyOf };
    return level === 'full'
      ? { ...seen, level, data, stored: { digest: envelope.digest, frame } }
      : {
          ...seen,
          envelope: withOpenExtensions(envelope),
          level,
          data: maskData(type.contract, data as Record<string, unknown>),
        };
  }

  #event(): DecodedEvent | undefined {
    if (this.#decoded === undefined && !this.#broken) {
      this.#decoded = decodeEvent(this.#opened, this.#place.stream, this.#place.partition);
      this.#broken = this.#decoded === undefined;
    }
    return this.#decoded;
  }
}

/** What a publisher sent beside the data may be made of it: a signature, a number, a name. */
function withOpenExtensions<E extends Omit<ReadEnvelope, 'digest'>>(envelope: E): E {
  const { extensions } = envelope;
  for (const name in extensions)
    if (!OPEN_EXTENSIONS.has(name))
      return {
        ...envelope,
        extensions: Object.fromEntries(Object.entries(extensions).filter(([n]) => OPEN_EXTENSIONS.has(n))),
      };
  return envelope;
}

/** The level at which a reader sees an event that matches its filter. */
export function levelOf(reader: Reader, levels: Pick<EventLevels, 'of'>): ReadLevel {
  return reader === HUB ? 'full' : levels.of(reader);
}

/**
 * The event of a record for one reader, in steps. DAMAGED: whose event it was, and who might read it, cannot be said any more, so every reader that comes past is
 * told (R15.7). undefined: it is no readable event of a gateway, does not match the filter, or the reader may not see it;
 * all three look the same (R12).
 */
export function* eventInSteps(
  reader: Reader,
  record: LogRecord,
  place: RecordPlace,
  filter: EventFilter,
  { catalogue, units }: Rights,
): InSteps<ReadEvent | typeof DAMAGED | undefined> {
  // A copy that is not asked for is left out before its digest is computed.
  if (place.original !== undefined && filter.copies !== true) return undefined;
  const event = LoggedEvent.open(record, place, catalogue);
  if (event === DAMAGED) return DAMAGED;
  if (event?.matches(filter) !== true) return undefined;
  yield;
  const levels = event.levels(units);
  if (levels === undefined) return DAMAGED;
  const level = levelOf(reader, levels);
  yield;
  return level === 'none' || !event.showsUnit(filter, level) ? undefined : event.as(level);
}

/** The event of a record for subscriptions, which get no copies: only of the types that somebody wants. Its data is not decoded. */
export function* loggedInSteps(
  record: LogRecord,
  place: RecordPlace,
  wants: (type: string) => boolean,
  catalogue: Catalogue,
): InSteps<LoggedEvent | typeof DAMAGED | undefined> {
  if (place.original !== undefined) return undefined;
  const event = LoggedEvent.open(record, place, catalogue);
  // Without it, opening a large event would not be a step.
  yield;
  if (event === DAMAGED || event === undefined) return event;
  return wants(event.type) ? event : undefined;
}
