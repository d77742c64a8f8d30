import { INDEX_VIEW } from '#duplicates';
import { storageOf, type Generations } from './generations.js';
import type { CompiledView } from './compile.js';
import type { Ends } from './ends.js';
import type { State } from '#state';

/** `unknown_topic`: a stream is missing in the log. `view_rebuilding`: a partition was never folded, or is folded again. `view_behind`: one is more than 5 s behind the log. */
export type Backlog = 'unknown_topic' | 'view_rebuilding' | 'view_behind';

export interface BacklogsDeps {
  readonly state: Pick<State, 'positions'>;
  readonly views: readonly CompiledView[];
  readonly generations: Pick<Generations, 'row'>;
  readonly ends: Ends;
  /** Streams and their number of partitions, as the duplicate index has them. */
  readonly streams: () => readonly { readonly name: string; readonly partitions: number }[];
  readonly now: () => number;
}

const MEMO_MS = 1_000;

/** How far the served views and the duplicate index are, from the same source as `stale` (R7.3): for health. Answers are at most a second old. */
export class Backlogs {
  readonly #deps: BacklogsDeps;
  readonly #memo = new Map<string, { atMs: number; answer: Promise<Backlog | undefined> }>();

  constructor(deps: BacklogsDeps) {
    this.#deps = deps;
  }

  /** The worst of every partition of every served view. While the log end is unknown, nothing is known to be behind. Faults of the store. */
  views(): Promise<Backlog | undefined> {
    return this.#remembered('views', async () => {
      const all = await Promise.all(this.#deps.views.map((view) => this.#ofView(view)));
      return worst(all);
    });
  }

  /** Of the duplicate index only `view_rebuilding`: readers wait for it by its settled end, and of a missing stream they are told. */
  index(): Promise<Backlog | undefined> {
    return this.#remembered('index', async () => {
      const all = await Promise.all(
        this.#deps.streams().map((s) => this.#of(INDEX_VIEW, [s.name], s.partitions, false)),
      );
      return worst(all.map((one) => (one === 'view_rebuilding' ? one : undefined)));
    });
  }

  async #ofView(view: CompiledView): Promise<Backlog | undefined> {
    const row = this.#deps.generations.row(view.name);
    if (row?.fingerprint !== view.fingerprint) return 'view_rebuilding';
    return this.#of(storageOf(view.name, row.serving), view.streams, view.partitions, true);
  }

  async #of(
    storage: string,
    streams: readonly string[],
    partitions: number,
    mustBeFilled: boolean,
  ): Promise<Backlog | undefined> {
    const { ends, state } = this.#deps;
    const asked = await Promise.all(streams.map(async (s) => [s, await ends.recent(s).catch(missing)] as const));
    if (asked.some(([, end]) => end === 'unknown_topic')) return 'unknown_topic';
    const known = new Map(asked.flatMap(([s, end]) => (end === 'unknown_topic' ? [] : [[s, end] as const])));
    const began = ends.begin();
    const parts = streams.flatMap((stream) =>
      Array.from({ length: partitions }, (_, partition) => ({ stream, partition })),
    );
    const stored = await state.positions(storage, parts);
    const all = await Promise.all(
      parts.map(async ({ stream, partition }, i): Promise<Backlog | undefined> => {
        const end = known.get(stream)?.find((e) => e.partition === partition);
        if (end === undefined) return undefined;
        const { trusted, filled, stale } = await ends.judge(storage, end, stream, stored[i], began);
        if (!trusted || (mustBeFilled && !filled)) return 'view_rebuilding';
        return stale ? 'view_behind' : undefined;
      }),
    );
    return worst(all);
  }

  #remembered(what: string, ask: () => Promise<Backlog | undefined>): Promise<Backlog | undefined> {
    const known = this.#memo.get(what);
    const atMs = this.#deps.now();
    if (known !== undefined && atMs - known.atMs < MEMO_MS) return known.answer;
    const answer = ask();
    this.#memo.set(what, { atMs, answer });
    answer.catch(() => this.#memo.delete(what));
    return answer;
  }
}

/** What ends.recent() throws. */
const missing = (): 'unknown_topic' => 'unknown_topic';

function worst(all: readonly (Backlog | undefined)[]): Backlog | undefined {
  for (const one of ['unknown_topic', 'view_rebuilding', 'view_behind'] as const) if (all.includes(one)) return one;
  return undefined;
}
