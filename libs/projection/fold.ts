import { levelData } from '#access';
import type { DecodedEvent } from '#registry';
import { goesOnFrom, isAccepted, statingSource } from './accepted.js';
import { add, asNumeric, compareValues } from './exact.js';
import type { CompiledSource, CompiledView } from './compile.js';
import type { Contribution, RefusalReason, Removed, Stored, Witness } from './entry.js';
import { formerOf } from './former.js';
import { officeOf, ownerAfter, ownerOf, type Ownership } from './owner.js';
import { isAhead, isStaleDate } from './time-bounds.js';

/** Entries of one view partition while a batch is folded. `undefined`: no entry. Values are never changed in place. */
export interface Desk {
  entry(key: string): Stored | undefined;
  part(key: string): Contribution | undefined;
  putEntry(key: string, value: Stored | undefined, event: DecodedEvent): void;
  putPart(key: string, value: Contribution | undefined, event: DecodedEvent): void;
  /** `set`: whose a removed entry was. */
  removed(key: string): Removed | undefined;
  putRemoved(key: string, value: Removed | undefined, event: DecodedEvent): void;
  /** The event changes nothing, and is kept as refused by the view. */
  refuse(refusal: Refused, event: DecodedEvent): void;
}

/** Why a view refuses an event, of which entry, and who owns that. */
export interface Refused {
  readonly reason: RefusalReason;
  readonly key: string;
  readonly owner: string | undefined;
}

const matches = (source: CompiledSource, event: DecodedEvent): boolean =>
  source.when.every((w) => w.in.has(event.data[w.field] ?? null));

const NONE: readonly CompiledSource[] = [];

/** The sources of a view that match this event; none: the event changes nothing. Only a merge may have several. */
export function sourcesFor(view: CompiledView, event: DecodedEvent): readonly CompiledSource[] {
  const all = view.ofType.get(event.envelope.type);
  if (!all) return NONE;
  if (all.length === 1) return matches(all[0]!, event) ? all : NONE;
  const hits = all.filter((s) => matches(s, event));
  return view.kind === 'merge' ? hits : hits.slice(0, 1);
}

/** The source of an event and the part of its data that decides who may read it (R12). */
export function witnessOf(event: DecodedEvent): Witness {
  return [event.envelope.source, levelData(event.type, event.data)];
}

function valueOf(source: CompiledSource, event: DecodedEvent): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, evaluate] of source.set) value[name] = evaluate(event);
  return value;
}

function older(view: CompiledView, before: readonly unknown[], event: DecodedEvent): boolean {
  for (const [i, { field, numeric }] of view.by.entries()) {
    const order = compareValues(event.data[field], before[i], numeric);
    if (order !== 0) return order < 0;
  }
  return false;
}

/** Why an event may not change the view; undefined: it may. Judged by the entry before the event and by the event alone (R5.4). */
function refusalOf(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): Refused | undefined {
  const { ownership, bounds } = source;
  if (bounds.length > 0) {
    const recordedMs = recordedMsOf(event);
    if (bounds.some((b) => isAhead(b, event.data, recordedMs)))
      return { reason: 'too_far_ahead', key: view.keyOf(event), owner: undefined };
  }
  if (isAccepted(event)) return undefined;
  if (ownership !== undefined) {
    const office = officeOf(event.envelope.source);
    const { key, owner } = ownedNow(view, ownership, event, desk);
    if (office !== undefined && owner !== undefined && owner !== office) return { reason: 'not_owner', key, owner };
  }
  if (source.needs.length === 0) return undefined;
  const before = desk.entry(view.keyOf(event))?.v;
  const isThere = source.needs.every(
    (n) => before !== undefined && (before[n.value] ?? null) === (n.is(event) ?? null),
  );
  return isThere ? undefined : stepMissing(view, event, desk);
}

/** The entry is not there, or not where the step before the event leads. Whose entry it is must learn of the attempt, unless it made it itself. */
function stepMissing(view: CompiledView, event: DecodedEvent, desk: Desk): Refused {
  const key = view.keyOf(event);
  const entry = desk.entry(key);
  const owner = entry && view.ownership && ownerOf(view.ownership, entry);
  return { reason: 'step_missing', key, owner: owner === officeOf(event.envelope.source) ? undefined : owner };
}

/** The entry that an event would change, and who owns it before the event. */
function ownedNow(
  view: CompiledView,
  ownership: Ownership,
  event: DecodedEvent,
  desk: Desk,
): { readonly key: string; readonly owner: string | undefined } {
  if (view.kind === 'count') {
    const before = desk.part(event.envelope.subject);
    return { key: before?.k ?? '', owner: before?.o };
  }
  const key = view.keyOf(event);
  const before = desk.entry(key);
  return { key, owner: before === undefined ? desk.removed(key)?.o : ownerOf(ownership, before) };
}

/** The member that says whose a new entry is, where its value does not say it. */
function ownedBy(view: CompiledView, before: Stored | undefined, event: DecodedEvent): Pick<Stored, 'o'> {
  if (view.ownership?.kind !== 'first') return {};
  const o = (before && ownerOf(view.ownership, before)) ?? officeOf(statingSource(event));
  return o === undefined ? {} : { o };
}

function isOutOfTime(view: CompiledView, source: CompiledSource, b: readonly unknown[], event: DecodedEvent): boolean {
  if (source.bounds.length === 0) return false;
  const timeMs = recordedMsOf(event);
  return source.bounds.some((bound) =>
    isStaleDate(bound, b[view.by.findIndex((x) => x.field === bound.field)], timeMs),
  );
}

function recordedMsOf({ envelope, appendTimeMs }: DecodedEvent): number {
  const ms = Date.parse(envelope.recordedtime);
  return Number.isNaN(ms) ? appendTimeMs : ms;
}

/** An older report than the entry changes nothing, and nothing is missing: reports may come late. */
function foldLatest(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): boolean {
  const key = view.keyOf(event);
  const stored: Stored = {
    v: valueOf(source, event),
    e: { [source.index]: witnessOf(event) },
    ...ownedBy(view, view.ownership && goesOnFrom(view, desk.entry(key), event), event),
  };
  if (view.by.length > 0) {
    const before = goesOnFrom(view, desk.entry(key), event);
    if (before?.b && !isOutOfTime(view, source, before.b, event) && older(view, before.b, event)) return true;
    stored.b = view.by.map(({ field }) => event.data[field] ?? null);
  }
  desk.putEntry(key, stored, event);
  return true;
}

function foldMerge(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): boolean {
  const key = view.keyOf(event);
  const before = goesOnFrom(view, desk.entry(key), event);
  if (before)
    for (const g of source.given) {
      const now = before.v[g.value] ?? null;
      if (g.is !== undefined && now !== (g.is(event) ?? null)) return false;
      if (g.isNot !== undefined && now === g.isNot) return false;
    }
  const changed = valueOf(source, event);
  const e = { ...before?.e, [source.index]: witnessOf(event) };
  const stored: Stored = {
    v: {},
    e,
    ...formerOf(desk.entry(key), e, event.offset),
    ...ownedBy(view, before, event),
  };
  const writers: Record<string, number> = {};
  // Members in the order of the view file, so that the stored text does not depend on the order between streams (R5.3).
  for (const { name } of view.fields) {
    const value = name in changed ? changed[name] : before?.v[name];
    if (value === undefined) continue;
    stored.v[name] = value;
    if (!view.shared.has(name)) continue;
    const writer = name in changed ? source.index : before?.w?.[name];
    if (writer !== undefined) writers[name] = writer;
  }
  if (Object.keys(writers).length > 0) stored.w = writers;
  desk.putEntry(key, stored, event);
  return true;
}

function foldSet(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): boolean {
  const key = view.keyOf(event);
  const { ownership } = view;
  const keeps = keepsRemoved(view);
  const before = keeps ? desk.entry(key) : undefined;
  const removed = keeps && before === undefined ? desk.removed(key) : undefined;
  if (source.remove) {
    // Whoever could make it again would have taken it over; who may remove the entry of everybody, such as the treasury, takes none.
    const taker = isAccepted(event) && source.ownership ? officeOf(statingSource(event)) : undefined;
    if (source.needsEntry && before === undefined && removed === undefined && taker === undefined) return false;
    const o = ownership && (taker ?? (before && ownerOf(ownership, before)));
    if (o !== undefined) desk.putRemoved(key, { o }, event);
    else if (keeps && before !== undefined) desk.putRemoved(key, {}, event);
    desk.putEntry(key, undefined, event);
    return true;
  }
  const value: Stored = { v: valueOf(source, event), e: { [source.index]: witnessOf(event) } };
  if (removed !== undefined) desk.putRemoved(key, undefined, event);
  desk.putEntry(key, { ...value, ...ownedBy(view, goesOnFrom(view, before, event), event) }, event);
  return true;
}

function foldTimeline(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): boolean {
  const key = view.keyOf(event);
  const before = goesOnFrom(view, desk.entry(key), event);
  const moments = (before?.v['kejadian'] as unknown[] | undefined) ?? [];
  const { type, time } = event.envelope;
  const all = [...moments, { position: event.position, type, time, ...valueOf(source, event) }];
  const witnesses = [...(before?.m ?? []), [source.index, ...witnessOf(event)] as const];
  const total = ((before?.v['jumlah'] as number | undefined) ?? 0) + 1;
  const stored: Stored = {
    v: { jumlah: total, kejadian: all.slice(-view.keep) },
    m: witnesses.slice(-view.keep),
    ...ownedBy(view, before, event),
  };
  desk.putEntry(key, stored, event);
  return true;
}

function contribute(view: CompiledView, c: Contribution, sign: 1 | -1, event: DecodedEvent, desk: Desk): void {
  const before = desk.entry(c.k);
  const n = ((before?.v[view.count] as number | undefined) ?? 0) + sign;
  if (n <= 0) return desk.putEntry(c.k, undefined, event);
  const v: Record<string, unknown> = { ...c.d, [view.count]: n };
  for (const [i, [name]] of view.sum.entries())
    v[name] = add((before?.v[name] as number | string | undefined) ?? 0, c.s[i] ?? 0, sign);
  desk.putEntry(c.k, { v }, event);
}

/** Takes back what the subject added before, so that a corrected report replaces the earlier one (R5.2). */
function foldCount(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): boolean {
  const subject = event.envelope.subject;
  const before = desk.part(subject);
  if (source.needsEntry && before === undefined) return false;
  if (before) contribute(view, before, -1, event, desk);
  if (source.remove) {
    if (before) desk.putPart(subject, undefined, event);
    return true;
  }
  const o = view.ownership && ownerAfter(view.ownership, before, event);
  const now: Contribution = {
    k: view.keyOf(event),
    d: Object.fromEntries(view.keyParts.map(([name, evaluate]) => [name, evaluate(event)])),
    s: view.sum.map(([, field]) => asNumeric(event.data[field]) ?? 0),
    ...(o === undefined ? {} : { o }),
  };
  contribute(view, now, 1, event, desk);
  desk.putPart(subject, now, event);
  return true;
}

/** What a kind does with an event. False: it finds nothing that it could change, and has changed nothing. */
const FOLDS = { latest: foldLatest, merge: foldMerge, set: foldSet, count: foldCount, timeline: foldTimeline };

/**
 * Folds one event into a view, or refuses it as a whole: an event of somebody else never changes an entry (R5.10), and one that finds nothing to change is told
 * (R5.13). Pure: the same events in the same order give the same entries and refusals, however they are batched.
 */
export function fold(view: CompiledView, event: DecodedEvent, desk: Desk): void {
  const sources = sourcesFor(view, event);
  if (view.refuses)
    for (const source of sources) {
      const refused = refusalOf(view, source, event, desk);
      if (refused !== undefined) return desk.refuse(refused, event);
    }
  let isFolded = sources.length === 0;
  for (const source of sources) isFolded = FOLDS[view.kind](view, source, event, desk) || isFolded;
  if (!isFolded) desk.refuse(stepMissing(view, event, desk), event);
}

/** Whether the fold needs the stored entry; else a batch needs no read. */
export function needsEntry(view: CompiledView): boolean {
  const { kind } = view;
  if (kind === 'merge' || kind === 'timeline') return true;
  const asks = view.by.length > 0 || view.sources.some((s) => s.ownership !== undefined || s.needsEntry);
  return kind !== 'count' && asks;
}

/** Whether the fold remembers a removed entry, and whose it was. */
export function keepsRemoved(view: CompiledView): boolean {
  return view.kind === 'set' && (view.ownership !== undefined || view.sources.some((s) => s.needsEntry));
}
