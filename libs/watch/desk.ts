import type { StreamInfo } from '#registry';
import { Book, type WatchRow } from './book.js';
import { expectationOf, type Expectation } from './expectation.js';
import type { Finding } from './finding.js';
import { StreamWatch, type StreamPlace } from './stream-watch.js';
import type { WatchDeps } from './watch.js';

/** Rows of one append: far below its 900 KB. */
const ROWS_AT_ONCE = 200;
const TOLD_AT_ONCE = 100;

/** The watch of one owner, from the rows of the one before: everything under one epoch. */
export class Desk {
  readonly book: Book;
  readonly #deps: WatchDeps;
  readonly #epoch: bigint;
  readonly #isSure: () => boolean;
  readonly #streams = new Map<string, StreamWatch>();
  readonly #places = new Map<string, StreamPlace>();
  /** What was stored of them last. */
  readonly #stored = new Map<string, StreamPlace>();
  readonly #closing = new AbortController();
  #expectations: ReadonlyMap<string, readonly Expectation[]> = new Map();
  #step: Promise<void> = Promise.resolve();

  constructor(deps: WatchDeps, epoch: bigint, isSure: () => boolean) {
    this.#deps = deps;
    this.#epoch = epoch;
    this.#isSure = isSure;
    this.book = new Book({ units: deps.units, limits: deps.limits ?? {} });
    for (const [, row] of deps.table.entries()) {
      if (row.kind === 'place')
        this.#places.set(row.stream, { topicId: row.topicId, next: row.next.map((n) => BigInt(n)) });
      else this.book.load(row);
    }
  }

  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Follows every stream of the catalogue that it does not follow yet. */
  follow(): void {
    const { catalogue } = this.#deps;
    const all = catalogue.types().flatMap((type) => expectationOf(type) ?? []);
    this.#expectations = Map.groupBy(all, ({ stream }) => stream);
    if (this.isClosed) return;
    for (const stream of catalogue.streams()) if (!this.#streams.has(stream.name)) this.#watch(stream);
  }

  /** Looks at what time has changed, stores what has changed, and publishes what has to be told. Fault `fenced`, and those of the log. */
  step(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#tick();
      const untold = this.book.untold();
      await this.#write();
      // What is told is stored already, so that no restart says anything else.
      if (untold.length === 0) return;
      await this.#tell(untold);
      await this.#write();
    });
  }

  /** Stores what has changed. Faults as step(). */
  flush(): Promise<void> {
    return this.#inTurn(() => this.#write());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#streams.values()].map((s) => s.close()));
    await this.#step;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const run = this.#step.then(work);
    this.#step = run.catch(() => undefined);
    return run;
  }

  #watch(stream: StreamInfo): void {
    const { reading, log, units, now, report } = this.#deps;
    const watch = new StreamWatch(
      {
        reading,
        log,
        units,
        now,
        book: this.book,
        expectationsOf: (name) => this.#expectations.get(name) ?? [],
        failed: (name, cause) => report?.failed?.(cause, name),
      },
      stream,
      this.#places.get(stream.name),
    );
    this.#streams.set(stream.name, watch);
    watch.start();
  }

  async #tick(): Promise<void> {
    const all = [...this.#expectations.values()].flat();
    const now = this.#deps.now();
    for (const name of this.book.pending(all, now)) {
      const through = this.isClosed ? undefined : await this.#streams.get(name)?.through();
      if (through !== undefined) this.book.tick(name, this.#expectations.get(name) ?? [], through, now);
    }
  }

  /** Rows first, then the places: what lies between them is looked at again, and changes no row. */
  async #write(): Promise<void> {
    if (!this.#isSure()) return;
    const { table } = this.#deps;
    const epoch = this.#epoch;
    const places = [...this.#streams].flatMap(([stream, { place }]) =>
      place === undefined || place === this.#stored.get(stream) ? [] : [{ stream, place }],
    );
    const changes = this.book.takeChanges();
    let written = 0;
    try {
      for (; written < changes.length; written += ROWS_AT_ONCE)
        await table.write(changes.slice(written, written + ROWS_AT_ONCE).map((change) => ({ ...change, epoch })));
    } catch (cause) {
      this.book.putBack(changes.slice(written));
      throw cause;
    }
    if (places.length === 0) return;
    await table.write(
      places.map(({ stream, place: { topicId, next } }) => {
        const row: WatchRow = { kind: 'place', stream, topicId, next: next.map(String) };
        return { key: `p/${stream}`, row, epoch };
      }),
    );
    for (const { stream, place } of places) this.#stored.set(stream, place);
  }

  async #tell(untold: readonly Finding[]): Promise<void> {
    for (let at = 0; at < untold.length && !this.isClosed && this.#isSure(); at += TOLD_AT_ONCE) {
      const told = await this.#deps.tell(untold.slice(at, at + TOLD_AT_ONCE));
      for (const one of told) this.book.told(one.finding, one.told);
    }
  }
}
