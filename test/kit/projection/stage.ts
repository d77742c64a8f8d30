import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { pause } from '#concurrency';
import { OWNERS_SPEC, type EventLog, type NewRecord } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import {
  openProjector,
  StateReader,
  storageOf,
  type CompiledView,
  type GenerationRow,
  type Generations,
  type OpenProjector,
  type OpenProjectorDeps,
} from '#projection';
import { INDEX_VIEW, openCopies, openSettled, type Copies, type Settled } from '#duplicates';
import type { Catalogue, CatalogueIndex } from '#registry';
import type { State } from '#state';
import { openEmbeddedState } from '#state-embedded';
import type { Units } from '#units';

/** Generations in memory. The rows are kept when the projector restarts. */
export class RowsInMemory implements Generations {
  readonly #rows = new Map<string, GenerationRow>();
  readonly #listeners = new Set<(view: string) => void>();

  row(view: string): GenerationRow | undefined {
    return this.#rows.get(view);
  }

  change(view: string, decide: (row: GenerationRow | undefined) => GenerationRow | undefined) {
    const now = decide(this.#rows.get(view));
    if (now) {
      this.#rows.set(view, now);
      for (const l of this.#listeners) l(view);
    }
    return Promise.resolve(this.#rows.get(view));
  }

  onChange(listener: (view: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export interface StageOptions {
  readonly wrapLog?: (log: EventLog) => EventLog;
  readonly wrapState?: (state: State) => State;
  readonly units?: Units;
  /** Clock of the log, ms since 1970. */
  readonly logNow?: () => number;
}

/** An embedded log and state in a temporary folder, with a projector that can be started, stopped and started again. */
export class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), 'simpul-projection-'));
  readonly generations = new RowsInMemory();
  log!: EventLog;
  state!: State;
  copies!: Copies;
  settled!: Settled;
  reader!: StateReader;
  projector: OpenProjector | undefined;
  /** Compaction and retention of the log, now. */
  maintain!: () => Promise<void>;

  constructor(
    readonly catalogue: CatalogueIndex,
    readonly views: readonly CompiledView[],
    readonly options: StageOptions = {},
  ) {}

  get streams() {
    return this.catalogue.streams().filter((s) => this.views.some((v) => v.streams.includes(s.name)));
  }

  async open(): Promise<this> {
    const { wrapLog = (l: EventLog) => l, wrapState = (s: State) => s } = this.options;
    const { logNow } = this.options;
    const log = await openEmbeddedLog({ dir: join(this.dir, 'log'), ...(logNow ? { now: logNow } : {}) });
    this.maintain = () => log.maintain();
    await log.ensureTopics([
      OWNERS_SPEC,
      ...this.streams.map(({ name, partitions, retentionMs }) => ({
        ...{ name, partitions, cleanup: 'keep' as const },
        ...(retentionMs === undefined ? {} : { retentionMs }),
      })),
    ]);
    this.log = wrapLog(log);
    this.state = wrapState(await openEmbeddedState({ dir: join(this.dir, 'state') }));
    this.copies = await openCopies(this.log);
    this.settled = await openSettled({ log: this.log, state: this.state, copies: this.copies, streams: this.streams });
    this.reader = new StateReader({
      log: this.log,
      state: this.state,
      views: this.views,
      generations: this.generations,
      catalogue: this.catalogue,
      units: this.options.units ?? ({ above: () => new Set<string>(), get: () => undefined } as unknown as Units),
      now: Date.now,
    });
    return this;
  }

  /** A projector that has not joined its group yet. */
  async prepareProjector(more: Partial<OpenProjectorDeps> = {}): Promise<OpenProjector> {
    const all = this.catalogue;
    const streams = this.streams;
    // The stage has topics only for the streams of its views.
    const catalogue: Catalogue = {
      newest: (t) => all.newest(t),
      version: (t, v) => all.version(t, v),
      versions: (t) => all.versions(t),
      bySchemaId: (id) => all.bySchemaId(id),
      types: () => all.types(),
      stream: (n) => all.stream(n),
      streams: () => streams,
    };
    this.projector = await openProjector({
      log: this.log,
      state: this.state,
      catalogue,
      views: this.views,
      generations: this.generations,
      copies: this.copies,
      now: Date.now,
      verifyEveryMs: 20,
      dropAfterMs: 0,
      ...more,
    });
    return this.projector;
  }

  async project(more: Partial<OpenProjectorDeps> = {}): Promise<OpenProjector> {
    const projector = await this.prepareProjector(more);
    await projector.join();
    return projector;
  }

  /** Appends the records of each partition in the given order. Returns the offset of each record. */
  async append(all: readonly { stream: string; partition: number; record: NewRecord }[]): Promise<bigint[]> {
    const offsets: bigint[] = [];
    const groups = Map.groupBy(
      all.map((x, i) => ({ ...x, i })),
      (x) => `${x.stream}/${x.partition}`,
    );
    const run = async (group: readonly ((typeof all)[number] & { i: number })[]): Promise<void> => {
      for (let at = 0; at < group.length; at += 500) {
        const some = group.slice(at, at + 500);
        const { stream, partition } = some[0]!;
        const records = some.map((x) => x.record);
        const done = await this.log.append(stream, partition, records);
        if (done.kind !== 'accepted') throw new Error(`append: ${done.kind}`);
        for (const [k, x] of some.entries()) offsets[x.i] = done.base + BigInt(k);
      }
    };
    await Promise.all([...groups.values()].map(run));
    return offsets;
  }

  storage(view: CompiledView): string {
    return storageOf(view.name, this.generations.row(view.name)!.serving);
  }

  /** True when the duplicate index and every serving view have folded all records of the log. */
  async caughtUp(): Promise<boolean> {
    for (const { name } of this.streams)
      for (const { partition, low, high } of await this.log.describe(name)) {
        if (low === high) continue;
        const part = { stream: name, partition };
        const of = this.views.filter((v) => v.streams.includes(name)).map((v) => this.storage(v));
        for (const storage of [INDEX_VIEW, ...of])
          if (((await this.state.position(storage, part))?.next ?? 0n) < high) return false;
      }
    return true;
  }

  async untilCaughtUp(): Promise<void> {
    await until(() => this.caughtUp());
  }

  /** Deletes everything in the store while it is in use. */
  emptyStore(): void {
    this.#lose('parts', 'progress', 'entries', 'feed', 'deletes', 'firsts');
  }

  /** Deletes the duplicate index and leaves views and positions, as after a partial loss of the store. */
  loseIndex(): void {
    this.#lose('firsts');
  }

  /** A copy of the store, which is closed for it and opened again, for restoreState(). */
  async copyState(): Promise<string> {
    await this.shut();
    const copy = join(this.dir, `state-${Date.now()}`);
    cpSync(join(this.dir, 'state'), copy, { recursive: true });
    await this.open();
    return copy;
  }

  /** Puts the closed store back to what it was, as a failover does that lost the newest writes. */
  restoreState(copy: string): void {
    rmSync(join(this.dir, 'state'), { recursive: true });
    cpSync(copy, join(this.dir, 'state'), { recursive: true });
  }

  /** Makes the positions those of a release that stored no proofs. */
  loseProofs(): void {
    this.#run('UPDATE progress SET proof = NULL');
  }

  #lose(...tables: readonly string[]): void {
    this.#run(...tables.map((t) => `DELETE FROM ${t}`));
  }

  #run(...statements: readonly string[]): void {
    const db = new DatabaseSync(join(this.dir, 'state', 'state.sqlite'));
    db.exec('PRAGMA busy_timeout=5000; BEGIN IMMEDIATE');
    for (const statement of statements) db.exec(statement);
    db.exec('COMMIT');
    db.close();
  }

  async shut(): Promise<void> {
    await this.projector?.close().catch(() => undefined);
    this.projector = undefined;
    await this.settled.close();
    await this.copies.close();
    await this.log.close();
    await this.state.close();
  }

  async close(): Promise<void> {
    await this.shut();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Waits until a condition is true, at most 10 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 45_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true within 45 s');
    await pause(5);
  }
}

/** A store with scripted faults: `before` sees every call; what it returns or throws replaces the result, and undefined lets the call through. */
export function interposed(
  state: State,
  before: (call: string, args: readonly unknown[]) => Promise<unknown> | undefined,
): State {
  return new Proxy(state, {
    get: (t, name) => {
      const value: unknown = Reflect.get(t, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) =>
        before(String(name), args) ?? (value as (...a: unknown[]) => unknown).apply(t, args);
    },
  });
}
