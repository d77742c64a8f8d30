import { todayOf } from '#event';
import { Fault, type Problem } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change, type Decision, type Table, type TableReport } from '#table';
import { foldUnitEvent, type UnitChange } from './change.js';
import { unitChangeProblems, type RegisteredUnits } from './fits.js';
import type { UnitSeed } from './seed.js';
import { currentRows, type Rows } from './timeline.js';
import { UnitTree } from './tree.js';
import type { Unit, Units } from './unit.js';

/** Control topic with one record per unit: every row ever known about it. */
export const UNITS_TOPIC = '_simpul.units';
/** Key of the row with the position of the fold in `org.unit`. It is written together with the units that the fold changed. */
const POSITION = '~position';
const MAX_CHANGES = 500;

type UnitRow = { readonly rows: Rows } | { readonly next: string };

/** An `org.unit.berubah` event with its offset in the stream. */
export interface UnitEvent {
  readonly offset: bigint;
  readonly data: UnitChange;
}

/** A change that did not fit the registry when it was folded (two gateways accepted conflicting changes, or an old record). Nothing of it was applied. */
export interface SkippedChange {
  readonly offset: bigint;
  readonly problems: readonly Problem[];
}

export interface UnitsReport {
  /** A change was skipped. Called once per change, by the process that moved the position past it. */
  readonly changeSkipped?: (change: SkippedChange) => void;
  /** A step of the fold failed; it is tried again after a second. */
  readonly foldFailed?: (cause: unknown) => void;
}

export interface UnitRegistry {
  readonly units: Units;
  /** Writes the units of the seed that the table does not have, at most 500 per write. Existing rows stay as they are. Answers how many units were written. */
  seed(seed: UnitSeed): Promise<number>;
  /** First offset of `org.unit` that is not folded yet. */
  readonly next: bigint;
  /**
   * Folds the events from offset `from` (inclusive) to `next` (exclusive) of `org.unit`: units and position in one write, under the claim. Each event is
   * checked against the registry as the events before it left it; an event that does not fit is skipped as a whole, in every process alike, and
   * reported after the write. When another process has folded from `from` meanwhile, nothing is written or reported. Answers the position to continue
   * from. At most 499 events. Faults as `Table.write`, and `control_record_unreadable` (the record of the position, or of a unit of these events).
   */
  fold(from: bigint, events: readonly UnitEvent[], next: bigint, report?: UnitsReport): Promise<bigint>;
  /** Reads the units that other processes have written until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface UnitsDeps {
  readonly log: EventLog;
  /** The clock that says which rows are in force today, ms since 1970. */
  readonly now: () => number;
  readonly report?: TableReport | undefined;
}

/** Opens the registry of units: loads the table, then follows it. Fault `log_unavailable`. */
export async function openUnits({ log, now, report }: UnitsDeps): Promise<UnitRegistry> {
  const tree = new UnitTree(todayOf(now));
  const table = await openTable<UnitRow>({
    log,
    topic: UNITS_TOPIC,
    parse: parseRow,
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onChange: (key, row) => {
      if (row === undefined) tree.put(key, undefined);
      else if ('rows' in row) tree.put(key, row.rows);
    },
    report,
  });
  return new TableUnits(tree, table);
}

class TableUnits implements UnitRegistry {
  readonly units: Units;
  readonly #table: Table<UnitRow>;

  constructor(units: Units, table: Table<UnitRow>) {
    this.units = units;
    this.#table = table;
  }

  get next(): bigint {
    return positionOf(this.#table.get(POSITION));
  }

  async seed({ units }: UnitSeed): Promise<number> {
    let written = 0;
    for (let at = 0; at < units.length; at += MAX_CHANGES) {
      const part = units.slice(at, at + MAX_CHANGES);
      // Look without the claim first: a later start then writes nothing and fences no other writer.
      // A unit whose record cannot be read is not new: the seed would undo its changes.
      const isNew = (id: string): boolean => this.#table.get(id) === undefined && !this.#table.damaged.has(id);
      if (!part.some((u) => isNew(u.id))) continue;
      written += await this.#table.write(() => {
        const changes = part.filter((u) => isNew(u.id)).map((u) => ({ key: u.id, row: { rows: [u] } }));
        return { changes, result: changes.length };
      });
    }
    return written;
  }

  async fold(from: bigint, events: readonly UnitEvent[], next: bigint, report: UnitsReport = {}): Promise<bigint> {
    const { position, skipped } = await this.#table.write((rows) => {
      refuseDamaged(this.#table.damaged, events);
      return decideFold(rows, from, events, next);
    });
    for (const change of skipped) report.changeSkipped?.(change);
    return position;
  }

  refresh(): Promise<void> {
    return this.#table.refresh();
  }

  close(): Promise<void> {
    return this.#table.close();
  }
}

/** An event may not be folded into a unit whose history cannot be read, nor from a position that cannot be read. Fault `control_record_unreadable`. */
function refuseDamaged(damaged: ReadonlySet<string>, events: readonly UnitEvent[]): void {
  const needed = [POSITION, ...events.map(({ data }) => String(data['unitId']))];
  const key = needed.find((k) => damaged.has(k));
  if (key !== undefined) throw new Fault('control_record_unreadable', { detail: `${UNITS_TOPIC}: ${key}` });
}

interface Folded {
  readonly position: bigint;
  readonly skipped: readonly SkippedChange[];
}

function decideFold(
  rows: ReadonlyMap<string, UnitRow>,
  from: bigint,
  events: readonly UnitEvent[],
  next: bigint,
): Decision<UnitRow, Folded> {
  const expected = positionOf(rows.get(POSITION));
  if (expected !== from || next <= from) return { changes: [], result: { position: expected, skipped: [] } };
  const changed = new Map<string, Rows>();
  const skipped: SkippedChange[] = [];
  const rowsOf = (id: string): Rows => {
    const row = rows.get(id);
    return changed.get(id) ?? (row !== undefined && 'rows' in row ? row.rows : []);
  };
  const registered: RegisteredUnits = {
    history: (id) => currentRows(rowsOf(id)),
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
  return { changes, result: { position: next, skipped } };
}

function parseRow(value: Buffer, key: string): UnitRow {
  const row = JSON.parse(value.toString()) as Partial<Record<'rows' | 'next', unknown>> | null;
  const fits =
    key === POSITION ? typeof row?.next === 'string' && /^\d+$/.test(row.next) : areVersionsOf(key, row?.rows);
  if (!fits) throw new TypeError('no row of the units table');
  return row as UnitRow;
}

function areVersionsOf(id: string, rows: unknown): boolean {
  if (!Array.isArray(rows)) return false;
  return (rows as readonly (Partial<Unit> | null)[]).every(
    (u) => u?.id === id && typeof u.code === 'string' && typeof u.version === 'number',
  );
}

function positionOf(row: UnitRow | undefined): bigint {
  return row !== undefined && 'next' in row ? BigInt(row.next) : 0n;
}
