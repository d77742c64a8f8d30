import { parseSource, type Source } from '#event';
import type { Consumer, ConsumerLevel, EventType } from '#registry';
import type { Units } from '#units';
import { isHubAdmin, type Caller, type ReadLevel, type Role } from './access.js';

/** The part of an event type that decides who may read its events. */
export type ReadableType = Pick<EventType, 'consumers' | 'unitFields' | 'restricted'>;
/** The part of an event that decides who may read it. */
export interface ReadableEvent {
  readonly source: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const NOTHING: readonly string[] = [];
/** The ids in a list: every row and every caller asks for them again, and a list may be as long as an event. */
const inLists = new WeakMap<readonly unknown[], readonly string[]>();
const READING: readonly Role[] = ['reader', 'operator', 'data-team', 'steward', 'admin'];

/** The unit ids or party codes in a field of the data: one, several (a list field, each once), or none. A list is not changed afterwards. */
export function idsIn(data: Readonly<Record<string, unknown>>, field: string): readonly string[] {
  const v = data[field];
  if (typeof v === 'string') return [v];
  if (!Array.isArray(v)) return NOTHING;
  let ids = inLists.get(v);
  // Rights are worked out for each id: a list that repeats one must not cost more than the ids in it.
  if (ids === undefined) inLists.set(v, (ids = [...new Set(v.filter((x): x is string => typeof x === 'string'))]));
  return ids;
}

/** Whether a source belongs to this owner, with any system. */
export function ownsSource(owner: string, source: Source | undefined): boolean {
  switch (source?.kind) {
    case 'unit':
      return source.unit === owner;
    case 'party':
      return source.party === owner;
    case 'hub':
      return owner === 'hub';
    default:
      return false;
  }
}

/** A row of `consumers` in parts: `above:unitPenerima` is kind `above`, what `unitPenerima`. */
interface Row {
  readonly kind: string;
  readonly what: string;
  readonly level: ConsumerLevel;
}

/** The rows of a type, taken apart once and not for every event. */
const rowsOf = new WeakMap<readonly Consumer[], readonly Row[]>();

function rowsFor(consumers: readonly Consumer[]): readonly Row[] {
  let rows = rowsOf.get(consumers);
  if (rows === undefined) {
    rows = consumers.map((consumer) => {
      const { code } = consumer;
      const colon = code.indexOf(':');
      const kind = colon < 0 ? code : code.slice(0, colon);
      return { kind, what: code.slice(colon + 1), level: consumerLevel(consumer) };
    });
    rowsOf.set(consumers, rows);
  }
  return rows;
}

/** Member of levelData() for `party:*`: the codes of external parties that stand anywhere in the data. */
const PARTIES = 'party:*';

/** Names of members of levelData() beside the unit fields, by the rows of `consumers`. */
const namedBy = new WeakMap<readonly Consumer[], readonly string[]>();

/**
 * Members that the levels of a type need beside its unit fields: fields that `consumers` names, and PARTIES for `party:*`. Empty for most types. An entry
 * of a view that lacks one of them was folded before it was kept.
 */
export function namedFields(type: ReadableType): readonly string[] {
  let names = namedBy.get(type.consumers);
  if (names === undefined) {
    const wanted = rowsFor(type.consumers).flatMap(({ kind, what }) =>
      kind === 'field' || kind === 'above' ? [what] : kind === 'party' && what === '*' ? [PARTIES] : [],
    );
    names = [...new Set(wanted)].filter((name) => !type.unitFields.includes(name));
    namedBy.set(type.consumers, names);
  }
  return names;
}

/**
 * The part of the data of an event that decides its levels: with it EventLevels answers for every caller as with the whole data. Null for a member of
 * namedFields() that the event does not have.
 */
export function levelData(type: ReadableType, data: ReadableEvent['data']): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of type.unitFields) if (data[name] !== null && data[name] !== undefined) kept[name] = data[name];
  for (const name of namedFields(type)) kept[name] = name === PARTIES ? partiesIn(data) : (data[name] ?? null);
  return kept;
}

const partiesIn = (data: ReadableEvent['data']): readonly string[] => [
  ...new Set(Object.keys(data).flatMap((field) => idsIn(data, field).filter((id) => id.startsWith('EXT-')))),
];

/** R12.1 (c). `above:<field>` names every unit above the unit in that field, on either parent line; `word:…` names people, so no key matches it. */
function isNamed({ kind, what }: Row, owner: string, data: ReadableEvent['data'], units: Units): boolean {
  switch (kind) {
    case 'any':
      return owner.startsWith('SU');
    case 'unit':
      return what === owner;
    case 'party':
      // `party:*`: only the parties whose code is in the data of the event, not every party.
      return what === '*'
        ? owner.startsWith('EXT-') && Object.keys(data).some((f) => idsIn(data, f).includes(owner))
        : what === owner;
    case 'type':
      return units.get(owner)?.type === what;
    case 'field':
      return idsIn(data, what).includes(owner);
    case 'above':
      return idsIn(data, what).some((id) => units.above(id).has(owner));
    case 'hub':
      return owner === 'hub';
    default:
      return false;
  }
}

/** Whether these consumers name an owner whatever the event holds; `field:` and `above:` depend on its data, so they do not count. */
export function namesOwner(consumers: readonly Consumer[], owner: string, units: Units): boolean {
  return rowsFor(consumers).some((row) => isNamed(row, owner, {}, units));
}

/**
 * How much a named consumer may read (R12.1 c, R12.3): what its contract says, else `masked` for `above:` and `type:`, which name many units at once, and
 * `full` for the rest. `count` grants no event: totals, which every reading key may see (R12.3), are all that its reason needs.
 */
export function consumerLevel({ code, level }: Consumer): ConsumerLevel {
  return level ?? (code.startsWith('above:') || code.startsWith('type:') ? 'masked' : 'full');
}

/** Whether a key with these roles may read at all; only the role publisher grants no reading. Always asks all five roles (constant time, R12.4). */
export function mayRead(roles: ReadonlySet<Role>): boolean {
  let reads = false;
  for (const role of READING) if (roles.has(role)) reads = true;
  return reads;
}

/**
 * How much of one event callers may see: the only place that decides R12 (R12.5). What depends on the event alone is worked out once, so that asking for
 * many callers is cheap. Pure; holds the unit tree of the moment when it is made, so make it anew for each round of callers.
 *
 * A key with the role reader may read an event when (a) its unit is the source or above the source on either parent line, (b) a unit field of the event
 * holds its unit or a unit below it, or (c) the consumers of the type name it. The roles data-team and operator and an admin key of the hub read every type masked, the
 * role steward reads every type in full. The source reads in full (the hub is no source in this sense), the consumers of (c) at the level of their row in the contract (consumerLevel);
 * everyone else reads masked (R12.3). Of several reasons the greatest level holds.
 * A restricted type is readable only for its named consumers: (a), (b) and the roles grant nothing (R12.2).
 * Every condition is computed on every call, without an early return: the time of the answer must not reveal whether an event exists (R12.4).
 */
export class EventLevels {
  readonly #source: Source | undefined;
  /** Owners above the source, and the owners of each unit field and those above them. */
  readonly #aboveSource: ReadonlySet<string> | undefined;
  readonly #inFields: readonly string[];
  readonly #aboveFields: readonly ReadonlySet<string>[];
  readonly #rows: readonly Row[];
  readonly #open: boolean;
  readonly #data: ReadableEvent['data'];
  readonly #units: Units;

  constructor(type: ReadableType, event: ReadableEvent, units: Units) {
    this.#source = parseSource(event.source);
    this.#aboveSource = this.#source?.kind === 'unit' ? units.above(this.#source.unit) : undefined;
    this.#inFields = type.unitFields.flatMap((field) => idsIn(event.data, field));
    this.#aboveFields = this.#inFields.map((id) => units.above(id));
    this.#rows = rowsFor(type.consumers);
    this.#open = !type.restricted;
    this.#data = event.data;
    this.#units = units;
  }

  of(caller: Caller): ReadLevel {
    const { owner, roles } = caller;
    const reads = mayRead(roles);
    // What the hub states it states of others, such as an event that a steward has accepted: its keys read it by their roles.
    const isSource = this.#source?.kind !== 'hub' && ownsSource(owner, this.#source);
    const aboveSource = this.#aboveSource?.has(owner) === true;
    let inField = false;
    for (const id of this.#inFields) if (id === owner) inField = true;
    for (const above of this.#aboveFields) if (above.has(owner)) inField = true;
    let namedFull = false;
    let namedMasked = false;
    for (const row of this.#rows) {
      const named = isNamed(row, owner, this.#data, this.#units);
      if (named && row.level === 'full') namedFull = true;
      if (named && row.level === 'masked') namedMasked = true;
    }
    const steward = roles.has('steward');
    const seesMasked = roles.has('data-team') || roles.has('operator') || isHubAdmin(caller);
    const open = this.#open;
    const full = reads && (namedFull || (open && (isSource || steward)));
    const masked = reads && (namedMasked || (open && (aboveSource || inField || seesMasked)));
    return full ? 'full' : masked ? 'masked' : 'none';
  }

  /**
   * Of what belongs to owners, the part of those who may have a level by the role reader: of() answers `none` for every other owner with that role alone. It may name
   * owners who have none either, so ask of() for each. For work of the hub itself, such as deliveries to thousands of subscriptions; its time says who may read the
   * event, so it is not for the answer to a request (R12.4).
   */
  *among<T>(byOwner: ReadonlyMap<string, T>): IterableIterator<[owner: string, T]> {
    // Whom the event names are dozens: to ask a few owners one by one costs less than to name them.
    if (byOwner.size <= FEW || this.#rows.some(({ kind }) => kind === 'any')) {
      yield* byOwner;
      return;
    }
    const named = this.#named();
    for (const owner of named) {
      const of = byOwner.get(owner);
      if (of !== undefined) yield [owner, of];
    }
  }

  /** The owners that the event and the rows of its type name, with those above them where that is a reason. */
  #named(): ReadonlySet<string> {
    const named = new Set<string>();
    const add = (owners: Iterable<string> = []): void => {
      for (const owner of owners) named.add(owner);
    };
    if (this.#open) {
      const source = this.#source;
      if (source?.kind === 'unit') named.add(source.unit);
      if (source?.kind === 'party') named.add(source.party);
      add(this.#aboveSource);
      add(this.#inFields);
      for (const above of this.#aboveFields) add(above);
    }
    for (const { kind, what } of this.#rows) {
      if (kind === 'unit' || (kind === 'party' && what !== '*')) named.add(what);
      else if (kind === 'party') add(partiesIn(this.#data));
      else if (kind === 'type') add(this.#units.ofType(what));
      else if (kind === 'hub') named.add('hub');
      else if (kind === 'field') add(idsIn(this.#data, what));
      else if (kind === 'above') for (const id of idsIn(this.#data, what)) add(this.#units.above(id));
    }
    return named;
  }
}

const FEW = 4;

/** Whether a caller may know that events of a type exist, whatever they say (R12.2): of a restricted type only its named consumers. */
export function mayKnowType(caller: Caller, type: ReadableType, units: Units): boolean {
  return !type.restricted || readLevel(caller, type, NOBODY, units) !== 'none';
}

const NOBODY: ReadableEvent = { source: '', data: {} };

/** How much of an event one caller may see (R12): see EventLevels. */
export function readLevel(caller: Caller, type: ReadableType, event: ReadableEvent, units: Units): ReadLevel {
  return new EventLevels(type, event, units).of(caller);
}
