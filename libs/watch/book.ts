import type { Units } from '#units';
import { dayIn, deadlinesBetween, zoneOf, type Expectation } from './expectation.js';
import type { Finding } from './finding.js';
import { WATCH_LIMITS, type WatchLimits } from './limits.js';
import { judged, released, reported, unitsOwing, type ReportRow } from './silence.js';
import { isWaiting, look, resent, tick, type Sighting, type SourceRow } from './source-watch.js';

/** What the watch remembers under a key. `judgedMs`: the deadlines of a type up to there were looked at. */
export type WatchRow =
  | { readonly kind: 'source'; readonly row: SourceRow }
  | { readonly kind: 'reports'; readonly row: ReportRow }
  | { readonly kind: 'judged'; readonly type: string; readonly judgedMs: number }
  | { readonly kind: 'place'; readonly stream: string; readonly topicId: string; readonly next: readonly string[] };

export interface BookDeps {
  readonly units: Units;
  readonly limits?: Partial<WatchLimits>;
}

/** An event by which a unit reports, see Expectation. */
export interface Report {
  readonly unit: string;
  readonly type: string;
  /** Absent: the day on which it was recorded. */
  readonly day: string | undefined;
  readonly recordedMs: number;
}

/** Resends that gateways have counted. */
export interface Resends {
  readonly source: string;
  readonly unit: string;
  readonly system: string;
  readonly stream: string;
  /** Since 1970. */
  readonly minute: number;
  readonly events: number;
}

const sourceKey = (source: string, stream: string): string => `s/${source}/${stream}`;
const reportKey = (unit: string, type: string): string => `e/${unit}/${type}`;

/**
 * Everything that the watch knows, in memory. Of one unit it remembers `ofOne` pairs of system and stream: names of systems are free text, so the pair that was quiet longest
 * and has no open finding makes room for a new one, and without such a pair the new one is not watched.
 */
export class Book {
  readonly #units: Units;
  readonly #limits: WatchLimits;
  /** By unit, least recently seen first. */
  readonly #sources = new Map<string, Map<string, SourceRow>>();
  readonly #reports = new Map<string, ReportRow>();
  readonly #judged = new Map<string, number>();
  readonly #waiting = new Map<string, SourceRow>();
  readonly #dirty = new Set<string>();
  readonly #untold = new Set<string>();
  #unwatched = 0;

  constructor({ units, limits }: BookDeps) {
    this.#units = units;
    this.#limits = { ...WATCH_LIMITS, ...limits };
  }

  /** Events of sources for which there was no room. */
  get unwatched(): number {
    return this.#unwatched;
  }

  /** Up to when the deadlines of a type were looked at; undefined: nobody has watched it yet. */
  judgedMs(type: string): number | undefined {
    return this.#judged.get(type);
  }

  /** A row from an earlier time. */
  load(known: WatchRow): void {
    if (known.kind === 'source') this.#keep(sourceKey(known.row.source, known.row.stream), known.row);
    else if (known.kind === 'reports') this.#keepReports(reportKey(known.row.unit, known.row.type), known.row);
    else if (known.kind === 'judged') this.#judged.set(known.type, known.judgedMs);
    this.#dirty.clear();
  }

  see(sighting: Sighting): void {
    const { source, stream, unit } = sighting;
    const key = sourceKey(source, stream);
    const known = this.#sources.get(unit)?.get(key);
    if (known === undefined && !this.#makeRoom(unit)) return;
    const row = look(known, sighting, this.#limits);
    if (row !== known) this.#keep(key, row);
  }

  resent({ source, stream, unit, system, minute, events }: Resends): void {
    const key = sourceKey(source, stream);
    const known = this.#sources.get(unit)?.get(key);
    if (known === undefined && !this.#makeRoom(unit)) return;
    const lastMs = minute * 60_000;
    const row: SourceRow = known ?? { source, unit, system, stream, next: {}, lastMs, findings: [] };
    this.#keep(key, resent(row, minute, events, this.#limits));
  }

  /** A report, if one is expected of the unit. */
  report(expectation: Expectation, { unit: id, type, day, recordedMs }: Report): void {
    const unit = this.#units.get(id);
    if (unit === undefined || !isFrom(expectation, unit)) return;
    const key = reportKey(id, type);
    const known = this.#reports.get(key);
    const today = dayIn(zoneOf(expectation, unit), recordedMs);
    const row = reported(known, expectation, { unit: id, day: day ?? today, recordedMs, today });
    if (row !== undefined && row !== known) this.#keepReports(key, row);
  }

  /** Streams in which time alone may change something by `nowMs`: their end must be known for tick(). */
  pending(expectations: readonly Expectation[], nowMs: number): ReadonlySet<string> {
    const streams = new Set([...this.#waiting.values()].map(({ stream }) => stream));
    for (const expectation of expectations) {
      const from = this.#judged.get(expectation.type);
      if (from === undefined || deadlinesBetween(expectation, from, nowMs - this.#limits.settleMs).length > 0)
        streams.add(expectation.stream);
    }
    return streams;
  }

  /** It is `nowMs`, and everything that was recorded in a stream until `throughMs` has been seen. */
  tick(stream: string, expectations: readonly Expectation[], throughMs: number, nowMs: number): void {
    for (const [key, row] of this.#waiting) {
      if (row.stream !== stream) continue;
      const next = tick(row, throughMs, this.#limits);
      if (next !== row) this.#keep(key, next);
    }
    for (const expectation of expectations)
      if (expectation.stream === stream) this.#judge(expectation, throughMs, nowMs);
  }

  /** The offsets of a stream mean nothing any more: its topic was made again, or has lost records. */
  forgetPlaces(stream: string): void {
    for (const rows of this.#sources.values())
      // A copy: a row that is kept moves to the end.
      for (const [key, row] of [...rows]) if (row.stream === stream) this.#keep(key, { ...row, next: {} });
  }

  *findings(): IterableIterator<Finding> {
    for (const rows of this.#sources.values()) for (const { findings } of rows.values()) yield* findings;
    for (const { findings } of this.#reports.values()) yield* findings;
  }

  /** Keys whose rows have changed since the last call, with the row now; undefined: it is gone. */
  takeChanges(): readonly { readonly key: string; readonly row: WatchRow | undefined }[] {
    const changes = [...this.#dirty].map((key) => ({ key, row: this.#rowOf(key) }));
    this.#dirty.clear();
    return changes;
  }

  /** The changes of takeChanges() were not written. */
  putBack(changes: readonly { readonly key: string }[]): void {
    for (const { key } of changes) this.#dirty.add(key);
  }

  /** Findings whose begin or end has to be published. */
  untold(): readonly Finding[] {
    return [...this.#untold].flatMap((key) => this.#findingsOf(key).filter(isUntold));
  }

  told(finding: Finding, told: NonNullable<Finding['told']>): void {
    const mark = (findings: readonly Finding[]): readonly Finding[] =>
      findings.map((f) => (f.id === finding.id ? { ...f, told } : f));
    if (finding.system === undefined) {
      const key = reportKey(finding.unit, finding.type ?? '');
      const row = this.#reports.get(key);
      if (row !== undefined) this.#keepReports(key, { ...row, findings: mark(row.findings) });
      return;
    }
    for (const [key, row] of [...(this.#sources.get(finding.unit) ?? [])])
      if (row.findings.some((f) => f.id === finding.id)) this.#keep(key, { ...row, findings: mark(row.findings) });
  }

  #judge(expectation: Expectation, throughMs: number, nowMs: number): void {
    const { type } = expectation;
    const from = this.#judged.get(type);
    if (from === undefined) {
      // What was due before anybody watched is not missed.
      this.#setJudged(type, nowMs - this.#limits.settleMs);
      return;
    }
    const until = throughMs - this.#limits.settleMs;
    const deadlines = deadlinesBetween(expectation, from, until);
    for (const deadline of deadlines) {
      const owing = new Set(unitsOwing(expectation, deadline, this.#units).map(({ id }) => id));
      for (const id of owing) {
        const key = reportKey(id, type);
        this.#keepReports(key, judged(this.#reports.get(key), { id }, expectation, deadline));
      }
      for (const [key, row] of this.#reports)
        if (row.type === type && !owing.has(row.unit) && this.#isOver(expectation, row, deadline.day))
          this.#keepReports(key, released(row, deadline.ms));
    }
    if (deadlines.length > 0) this.#setJudged(type, until);
  }

  #setJudged(type: string, ms: number): void {
    this.#judged.set(type, ms);
    this.#dirty.add(`x/${type}`);
  }

  /** Whether the unit of an open finding owes nothing any more. */
  #isOver(expectation: Expectation, { unit: id, findings }: ReportRow, day: string): boolean {
    if (!findings.some((f) => f.untilMs === undefined)) return false;
    const unit = this.#units.get(id, day);
    return unit === undefined || !isFrom(expectation, unit);
  }

  #keep(key: string, row: SourceRow): void {
    let ofUnit = this.#sources.get(row.unit);
    if (ofUnit === undefined) this.#sources.set(row.unit, (ofUnit = new Map()));
    ofUnit.delete(key);
    ofUnit.set(key, row);
    if (isWaiting(row)) this.#waiting.set(key, row);
    else this.#waiting.delete(key);
    this.#changed(key, row.findings);
  }

  #keepReports(key: string, row: ReportRow): void {
    this.#reports.set(key, row);
    this.#changed(key, row.findings);
  }

  #changed(key: string, findings: readonly Finding[]): void {
    this.#dirty.add(key);
    if (findings.some(isUntold)) this.#untold.add(key);
    else this.#untold.delete(key);
  }

  #makeRoom(unit: string): boolean {
    const ofUnit = this.#sources.get(unit);
    if (ofUnit === undefined || ofUnit.size < this.#limits.ofOne) return true;
    for (const [key, row] of ofUnit) {
      if (row.findings.some((f) => f.untilMs === undefined || isUntold(f))) continue;
      ofUnit.delete(key);
      this.#waiting.delete(key);
      this.#dirty.add(key);
      return true;
    }
    this.#unwatched++;
    return false;
  }

  #rowOf(key: string): WatchRow | undefined {
    if (key.startsWith('x/')) {
      const type = key.slice(2);
      return { kind: 'judged', type, judgedMs: this.#judged.get(type)! };
    }
    const reports = this.#reports.get(key);
    if (reports !== undefined) return { kind: 'reports', row: reports };
    const row = this.#sourceRow(key);
    return row === undefined ? undefined : { kind: 'source', row };
  }

  #sourceRow(key: string): SourceRow | undefined {
    const unit = key.split(':')[3];
    return unit === undefined ? undefined : this.#sources.get(unit)?.get(key);
  }

  #findingsOf(key: string): readonly Finding[] {
    return (this.#reports.get(key) ?? this.#sourceRow(key))?.findings ?? [];
  }
}

const isUntold = ({ told, untilMs }: Finding): boolean =>
  told === undefined || (untilMs !== undefined && told !== 'end');

function isFrom({ from }: Expectation, { id, type }: { readonly id: string; readonly type: string }): boolean {
  return from.some((pattern) => pattern === `type:${type}` || pattern === `unit:${id}`);
}
