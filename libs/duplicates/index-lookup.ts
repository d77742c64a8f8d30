import { Coalescer, withDeadline } from '#concurrency';
import type { First } from '#state';

type Ids = readonly { readonly source: string; readonly id: string }[];
type FindFirst = (ids: Ids) => Promise<readonly (First | undefined)[]>;

/** The entries of the ids in the index, or undefined for all of them when the index did not answer in time. */
export type Known = readonly (First | undefined)[] | undefined;

const MAX_IDS = 2_000;
/** Event-loop turns that a lookup waits for the lookups of other requests, so that they share one call to the store. */
const GATHER_TURNS = 4;

/**
 * Lookups of the gateway in the duplicate index, coalesced: one call to the store is in flight, and what is asked meanwhile goes together in the next.
 * Never throws: when the index fails or is slower than `maxMs`, the answer is undefined, and the caller appends without a check (R2.4).
 */
export class IndexLookup {
  readonly #lookups: Coalescer<Ids, Known>;

  constructor(findFirst: FindFirst, maxMs: number) {
    this.#lookups = new Coalescer<Ids, Known>({
      turns: GATHER_TURNS,
      max: MAX_IDS,
      sizeOf: (ids) => ids.length,
      run: async (all) => {
        const found = (async () => findFirst(all.length === 1 ? all[0]! : all.flat()))().catch(() => undefined);
        const known: Known = await withDeadline(found, maxMs, () => undefined);
        let at = 0;
        return all.map(({ length }) => known?.slice(at, (at += length)));
      },
    });
  }

  ask(ids: Ids): Promise<Known> {
    return this.#lookups.add(ids);
  }
}
