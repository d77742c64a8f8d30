import type { Problem } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change, type Decision, type Table } from '#table';
import { foldUnitEvent, type UnitChange } from './change.js';
import { unitChangeProblems, type Registered } from './fits.js';
import type { UnitSeed } from './seed.js';
import { believed, type Rows } from './timeline.js';
import { UnitTree } from './tree.js';
import type { Units } from './unit.js';

/** One record per unit: everything ever believed about it. */
export const UNITS_TOPIC = '_simpul.units';
/** The row that says how far `org.unit` is folded. Written together with the units that the fold changed. */
const POSITION = '~position';
const MAX_CHANGES = 500;

type UnitRow = { readonly rows: Rows } | { readonly next: string };

/** An `org.unit.berubah` event as it lies in the stream. */
export interface UnitEvent {
  readonly offset: bigint;
  readonly data: UnitChange;
}

/** A change that did not fit the registry when its turn came (two gateways at once, an older record): nothing of it was applied. */
export interface SkippedChange {
  readonly offset: bigint;
  readonly problems: readonly Problem[];
}

export interface UnitRegistry {
  readonly units: Units;
  /** Writes the units of the seed that the table lacks, at most 500 a write; what events changed stays. Answers how many were written. */
  seed(seed: UnitSeed): Promise<number>;
  /** First offset of `org.unit` that is not folded. */
  readonly next: bigint;
  /**
   * Folds events that lie from `from` (inclusive) to `next` (exclusive) in `org.unit`: units and position in one write, through the one writer.
   * Each is judged by the registry as the events before it left it: what does not fit is skipped whole, by every process alike, and told once written.
   * Folded by somebody else meanwhile: nothing is written or told. Answers the offset to go on from. At most 499 events.
   */
  fold(
    from: bigint,
    events: readonly UnitEvent[],
    next: bigint,
    onSkipped?: (change: SkippedChange) => void,
  ): Promise<bigint>;
  /** Reads what other processes wrote until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface UnitsDeps {
  readonly log: EventLog;
  /** The day it is, `YYYY-MM-DD`. */
  readonly today: () => string;
}

/** Opens the registry of units: loads the table, then follows it. Fault log_unavailable. */
export async function openUnits({ log, today }: UnitsDeps): Promise<UnitRegistry> {
  const tree = new UnitTree(today);
  const table = await openTable<UnitRow>({
    log,
    topic: UNITS_TOPIC,
    parse: parseRow,
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onChange: (key, row) => {
      if (row === undefined) tree.put(key, undefined);
      else if ('rows' in row) tree.put(key, row.rows);
    },
  });
  return {
    units: tree,
    seed: (seed) => writeSeed(table, seed),
    get next() {
      return positionOf(table.get(POSITION));
    },
    async fold(from, events, next, onSkipped) {
      const { at, skipped } = await table.write((rows) => foldInto(rows, from, events, next));
      if (onSkipped) for (const change of skipped) onSkipped(change);
      return at;
    },
    refresh: () => table.refresh(),
    close: () => table.close(),
  };
}

interface Folded {
  readonly at: bigint;
  readonly skipped: readonly SkippedChange[];
}

function foldInto(
  rows: ReadonlyMap<string, UnitRow>,
  from: bigint,
  events: readonly UnitEvent[],
  next: bigint,
): Decision<UnitRow, Folded> {
  const expected = positionOf(rows.get(POSITION));
  if (expected !== from || next <= from) return { changes: [], result: { at: expected, skipped: [] } };
  const changed = new Map<string, Rows>();
  const skipped: SkippedChange[] = [];
  const rowsOf = (id: string): Rows => {
    const row = rows.get(id);
    return changed.get(id) ?? (row !== undefined && 'rows' in row ? row.rows : []);
  };
  const registered: Registered = {
    history: (id) => believed(rowsOf(id)),
    holders: (code) =>
      [...new Set([...rows.keys(), ...changed.keys()])].flatMap((id) =>
        rowsOf(id).filter((u) => u.code === code && u.knownUntil === undefined),
      ),
  };
  for (const { offset, data } of events) {
    const problems = unitChangeProblems(data, registered);
    if (problems.length > 0) {
      skipped.push({ offset, problems });
      continue;
    }
    const id = String(data['unitId']);
    changed.set(
      id,
      foldUnitEvent(rowsOf(id), data, (near) => registered.history(near).at(-1)),
    );
  }
  const changes: Change<UnitRow>[] = [...changed].map(([key, after]) => ({ key, row: { rows: after } }));
  changes.push({ key: POSITION, row: { next: String(next) } });
  return { changes, result: { at: next, skipped } };
}

function parseRow(value: Buffer, key: string): UnitRow {
  const row = JSON.parse(value.toString()) as Partial<Record<'rows' | 'next', unknown>>;
  const fits = key === POSITION ? typeof row.next === 'string' && /^\d+$/.test(row.next) : Array.isArray(row.rows);
  if (!fits) throw new TypeError('no row of the units table');
  return row as UnitRow;
}

function positionOf(row: UnitRow | undefined): bigint {
  return row !== undefined && 'next' in row ? BigInt(row.next) : 0n;
}

async function writeSeed(table: Table<UnitRow>, seed: UnitSeed): Promise<number> {
  let written = 0;
  for (let at = 0; at < seed.units.length; at += MAX_CHANGES) {
    const part = seed.units.slice(at, at + MAX_CHANGES);
    // Asked without the claim first: a second start writes nothing and claims nothing.
    if (part.every((u) => table.get(u.id) !== undefined)) continue;
    written += await table.write((rows) => {
      const changes = part.filter((u) => !rows.has(u.id)).map((u) => ({ key: u.id, row: { rows: [u] } }));
      return { changes, result: changes.length };
    });
  }
  return written;
}
