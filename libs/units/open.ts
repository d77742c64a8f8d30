import { todayOf } from '#event';
import { Fault, type Problem } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change, type Table, type TableReport } from '#table';
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

type UnitRow = { readonly rows: Rows } | { readonly next: string; readonly proof?: string };

/** How far `org.unit` is folded. `proof`: of the last record below `next` (placeProof); absent at the beginning, and where an older release has written. */
export interface UnitPlace {
  readonly next: bigint;
  readonly proof?: string | undefined;
}

/** An `org.unit.berubah` event with its offset in the stream. */
export interface UnitEvent {
  readonly offset: bigint;
  readonly data: UnitChange;
}

/** The changes that the log has. */
export interface UnitHistory {
  readonly events: readonly UnitEvent[];
  /** Retention has removed none. */
  readonly whole: boolean;
}

/** A change that did not fit the registry when it was folded (two gateways accepted conflicting changes, or an old record). Nothing of it was applied. */
export interface SkippedChange {
  readonly offset: bigint;
  readonly problems: readonly Problem[];
}

/** `next`: the place that the log does not confirm. `low`, `high`: what the log has. */
export interface UnitMismatch {
  readonly next: bigint;
  readonly low: bigint;
  readonly high: bigint;
}

export interface UnitsReport {
  /** A change was skipped. Called once per change, by the process that moved the position past it. */
  readonly changeSkipped?: (change: SkippedChange) => void;
  /** A step of the fold failed; it is tried again after a second. */
  readonly foldFailed?: (cause: unknown) => void;
  /**
   * The log is not the one that was folded: `org.unit` was made again, or has lost records. Units are folded again from what it has. Alarm: changes
   * that were lost must be published again. Called once for each such log.
   */
  readonly refolding?: (found: UnitMismatch) => void;
}

export interface UnitRegistry {
  readonly units: Units;
  /** Writes the units of the seed that the table does not have, at most 500 per write. Existing rows stay as they are. Answers how many units were written. */
  seed(seed: UnitSeed): Promise<number>;
  /** How far `org.unit` is folded. */
  readonly place: UnitPlace;
  /**
   * Folds the events from offset `from` (inclusive) to `to` (exclusive) of `org.unit`: units and place in one write, under the claim. Each event is
   * checked against the registry as the events before it left it; an event that does not fit is skipped as a whole, in every process alike, and
   * reported after the write. When the place is not `from` any more, because another process has folded meanwhile, nothing is written or reported.
   * At most 499 events. Faults as `Table.write`, and `control_record_unreadable` (the record of the place, or of a unit of these events).
   */
  fold(from: UnitPlace, events: readonly UnitEvent[], to: UnitPlace, report?: UnitsReport): Promise<void>;
  /**
   * The log is not the one that was folded up to `from`: replaces every unit by what the seed and these events, all that the log has below `to`, make of it.
   * `whole`: the log has them from the first one on. Otherwise the units stay, and the events are folded into them. Units that do not change are not
   * written; readers see the units of before or of after, while it is at most 499 units that change. Else as fold().
   */
  refold(from: UnitPlace, log: UnitHistory, to: UnitPlace, report?: UnitsReport): Promise<void>;
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
  /** Of the last seed(). */
  #seed: ReadonlyMap<string, Rows> = new Map();

  constructor(units: Units, table: Table<UnitRow>) {
    this.units = units;
    this.#table = table;
  }

  get place(): UnitPlace {
    return placeOf(this.#table.get(POSITION));
  }

  async seed({ units }: UnitSeed): Promise<number> {
    this.#seed = new Map(units.map((u) => [u.id, [u]]));
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

  async fold(from: UnitPlace, events: readonly UnitEvent[], to: UnitPlace, report: UnitsReport = {}): Promise<void> {
    const skipped = await this.#table.write((rows) => {
      refuseDamaged(this.#table.damaged, events);
      if (!isSamePlace(placeOf(rows.get(POSITION)), from)) return { changes: [], result: [] };
      const { changed, skipped: left } = foldAll(unitsOf(rows), events);
      const changes = [...changed].map(([key, after]) => ({ key, row: { rows: after } }));
      return { changes: [...changes, positionAt(to)], result: left };
    });
    for (const change of skipped) report.changeSkipped?.(change);
  }

  async refold(
    from: UnitPlace,
    { events, whole }: UnitHistory,
    to: UnitPlace,
    report: UnitsReport = {},
  ): Promise<void> {
    for (let done = false; !done;) {
      const written = await this.#table.write<{ last: boolean; skipped: readonly SkippedChange[] }>((rows) => {
        refuseDamaged(this.#table.damaged, whole ? [] : events);
        if (!isSamePlace(placeOf(rows.get(POSITION)), from))
          return { changes: [], result: { last: true, skipped: [] } };
        const now = unitsOf(rows);
        const base = whole ? this.#seed : now;
        const { changed, skipped } = foldAll(base, events);
        const changes = changesBetween(now, new Map([...base, ...changed]));
        // The place goes with the last of them: until then the same is done again.
        if (changes.length >= MAX_CHANGES)
          return { changes: changes.slice(0, MAX_CHANGES), result: { last: false, skipped: [] } };
        return { changes: [...changes, positionAt(to)], result: { last: true, skipped } };
      });
      done = written.last;
      for (const change of written.skipped) report.changeSkipped?.(change);
    }
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
  /** Units that the events changed. */
  readonly changed: ReadonlyMap<string, Rows>;
  readonly skipped: readonly SkippedChange[];
}

function foldAll(units: ReadonlyMap<string, Rows>, events: readonly UnitEvent[]): Folded {
  const changed = new Map<string, Rows>();
  const skipped: SkippedChange[] = [];
  const rowsOf = (id: string): Rows => changed.get(id) ?? units.get(id) ?? [];
  const registered: RegisteredUnits = {
    history: (id) => currentRows(rowsOf(id)),
    holders: (code) =>
      [...new Set([...units.keys(), ...changed.keys()])].flatMap((id) =>
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
  return { changed, skipped };
}

function unitsOf(rows: ReadonlyMap<string, UnitRow>): ReadonlyMap<string, Rows> {
  const units = new Map<string, Rows>();
  for (const [id, row] of rows) if ('rows' in row) units.set(id, row.rows);
  return units;
}

function changesBetween(now: ReadonlyMap<string, Rows>, wanted: ReadonlyMap<string, Rows>): Change<UnitRow>[] {
  const changes: Change<UnitRow>[] = [];
  for (const [key, rows] of wanted)
    if (JSON.stringify(now.get(key)) !== JSON.stringify(rows)) changes.push({ key, row: { rows } });
  for (const key of now.keys()) if (!wanted.has(key)) changes.push({ key, row: undefined });
  return changes;
}

function parseRow(value: Buffer, key: string): UnitRow {
  const row = JSON.parse(value.toString()) as Partial<Record<'rows' | 'next' | 'proof', unknown>> | null;
  const fits = key === POSITION ? isPosition(row) : areVersionsOf(key, row?.rows);
  if (!fits) throw new TypeError('no row of the units table');
  return row as UnitRow;
}

function isPosition(row: Partial<Record<'next' | 'proof', unknown>> | null): boolean {
  const { next, proof } = row ?? {};
  return typeof next === 'string' && /^\d+$/.test(next) && (proof === undefined || typeof proof === 'string');
}

function areVersionsOf(id: string, rows: unknown): boolean {
  if (!Array.isArray(rows)) return false;
  return (rows as readonly (Partial<Unit> | null)[]).every(
    (u) => u?.id === id && typeof u.code === 'string' && typeof u.version === 'number',
  );
}

function placeOf(row: UnitRow | undefined): UnitPlace {
  return row !== undefined && 'next' in row ? { next: BigInt(row.next), proof: row.proof } : { next: 0n };
}

function positionAt({ next, proof }: UnitPlace): Change<UnitRow> {
  return { key: POSITION, row: { next: String(next), ...(proof === undefined ? {} : { proof }) } };
}

/** Whether two places are the same one of the same log. */
export function isSamePlace(a: UnitPlace, b: UnitPlace): boolean {
  return a.next === b.next && a.proof === b.proof;
}
