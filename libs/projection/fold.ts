import { levelData } from '#access';
import type { DecodedEvent } from '#registry';
import { add, asNumeric, compareValues } from './exact.js';
import type { CompiledSource, CompiledView } from './compile.js';
import type { Contribution, Stored, Witness } from './entry.js';

/** Entries of one view partition while a batch is folded. `undefined`: no entry. Values are never changed in place. */
export interface Desk {
  entry(key: string): Stored | undefined;
  part(key: string): Contribution | undefined;
  putEntry(key: string, value: Stored | undefined, event: DecodedEvent): void;
  putPart(key: string, value: Contribution | undefined, event: DecodedEvent): void;
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

function foldLatest(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): void {
  const key = view.keyOf(event);
  const stored: Stored = { v: valueOf(source, event), e: { [source.index]: witnessOf(event) } };
  if (view.by.length > 0) {
    const before = desk.entry(key);
    if (before?.b && older(view, before.b, event)) return;
    stored.b = view.by.map(({ field }) => event.data[field] ?? null);
  }
  desk.putEntry(key, stored, event);
}

function foldMerge(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): void {
  const key = view.keyOf(event);
  const before = desk.entry(key);
  if (before)
    for (const g of source.given) {
      const now = before.v[g.value] ?? null;
      if (g.is !== undefined && now !== (g.is(event) ?? null)) return;
      if (g.isNot !== undefined && now === g.isNot) return;
    }
  const changed = valueOf(source, event);
  const stored: Stored = { v: {}, e: { ...before?.e, [source.index]: witnessOf(event) } };
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
}

function foldSet(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): void {
  const key = view.keyOf(event);
  if (source.remove) desk.putEntry(key, undefined, event);
  else desk.putEntry(key, { v: valueOf(source, event), e: { [source.index]: witnessOf(event) } }, event);
}

function foldTimeline(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): void {
  const key = view.keyOf(event);
  const before = desk.entry(key);
  const moments = (before?.v['kejadian'] as unknown[] | undefined) ?? [];
  const { type, time } = event.envelope;
  const all = [...moments, { position: event.position, type, time, ...valueOf(source, event) }];
  const witnesses = [...(before?.m ?? []), [source.index, ...witnessOf(event)] as const];
  const total = ((before?.v['jumlah'] as number | undefined) ?? 0) + 1;
  desk.putEntry(key, { v: { jumlah: total, kejadian: all.slice(-view.keep) }, m: witnesses.slice(-view.keep) }, event);
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
function foldCount(view: CompiledView, source: CompiledSource, event: DecodedEvent, desk: Desk): void {
  const subject = event.envelope.subject;
  const before = desk.part(subject);
  if (before) contribute(view, before, -1, event, desk);
  if (source.remove) {
    if (before) desk.putPart(subject, undefined, event);
    return;
  }
  const now: Contribution = {
    k: view.keyOf(event),
    d: Object.fromEntries(view.keyParts.map(([name, evaluate]) => [name, evaluate(event)])),
    s: view.sum.map(([, field]) => asNumeric(event.data[field]) ?? 0),
  };
  contribute(view, now, 1, event, desk);
  desk.putPart(subject, now, event);
}

const FOLDS = { latest: foldLatest, merge: foldMerge, set: foldSet, count: foldCount, timeline: foldTimeline };

/** Folds one event into a view. Pure: the same events in the same order give the same entries, however they are batched. */
export function fold(view: CompiledView, event: DecodedEvent, desk: Desk): void {
  for (const source of sourcesFor(view, event)) FOLDS[view.kind](view, source, event, desk);
}

/** Whether the fold needs the stored entry; else a batch needs no read. */
export function needsEntry(view: CompiledView): boolean {
  return view.kind === 'merge' || view.kind === 'timeline' || (view.kind === 'latest' && view.by.length > 0);
}
