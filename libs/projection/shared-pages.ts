import { partitionKey } from '#event';
import type { ChangePage, State, StreamPartition } from '#state';
import { mergeEntries, openEntry, type PartitionEntry } from './merge.js';
import type { CompiledView } from './compile.js';

const AGE_MS = 1_000;
const MAX_PAGES = 64;
const MAX_ENTRIES = 1_024;

/** Answers of a store that several callers need at about the same time: one question for all of them. */
class Shared<T> {
  readonly #answers = new Map<string, { readonly answer: Promise<T>; readonly until: number }>();

  #sweep: NodeJS.Timeout | undefined;

  constructor(
    private readonly max: number,
    private readonly now: () => number,
  ) {}

  /** The answer to this question; of an earlier caller when `keep` holds for it and it is younger than a second. */
  ask(key: string, question: () => Promise<T>, keep: (answer: T) => boolean): Promise<T> {
    const known = this.#answers.get(key);
    if (known !== undefined && this.now() < known.until) return known.answer;
    const asked = { answer: question(), until: this.now() + AGE_MS };
    this.#answers.delete(key);
    if (this.#answers.size >= this.max) this.#answers.delete(this.#answers.keys().next().value!);
    this.#answers.set(key, asked);
    if (this.#sweep === undefined) this.#sweep = setTimeout(() => this.#dropOld(), AGE_MS).unref();
    const forget = (): void => {
      if (this.#answers.get(key) === asked) this.#answers.delete(key);
    };
    asked.answer.then((answer) => {
      if (!keep(answer)) forget();
    }, forget);
    return asked.answer;
  }

  #dropOld(): void {
    for (const [key, { until }] of this.#answers) if (until <= this.now()) this.#answers.delete(key);
    this.#sweep = this.#answers.size === 0 ? undefined : setTimeout(() => this.#dropOld(), AGE_MS).unref();
  }
}

/** What the change feeds of one process read from the store: feeds at the same place share the answer, so the store is asked once for a change. */
export class SharedPages {
  readonly #state: State;
  readonly #pages: Shared<ChangePage>;
  readonly #entries: Shared<PartitionEntry | undefined>;

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#pages = new Shared(MAX_PAGES, now);
    this.#entries = new Shared(MAX_ENTRIES, now);
  }

  /** As State.changes. Only a page that moves its reader on is kept: a reader that waits for more must not get the old page again. */
  changes(storage: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage> {
    return this.#pages.ask(
      `${storage}/${partitionKey(part.stream, part.partition)}/${after}`,
      () => this.#state.changes(storage, part, after, limit),
      ({ changes, gap, progress }) => {
        const next = progress.find((p) => p.stream === part.stream)?.next ?? 0n;
        return !gap && (changes.length > 0 || next > after + 1n);
      },
    );
  }

  /** The entry of a key over these partitions, at or after the change at `place`. */
  entry(
    view: CompiledView,
    storage: string,
    key: string,
    partitions: readonly number[],
    place: string,
  ): Promise<PartitionEntry | undefined> {
    const question = async (): Promise<PartitionEntry | undefined> => {
      const reads = await Promise.all(partitions.map((p) => this.#state.read(storage, p, [key])));
      return mergeEntries(
        view,
        reads.flatMap((r) => (r.entries[0] ? [openEntry(r.entries[0])] : [])),
      );
    };
    return this.#entries.ask(JSON.stringify([storage, place, key]), question, () => true);
  }
}
