import type { First } from '#state';

type Ids = readonly { readonly source: string; readonly id: string }[];
export type FindFirst = (ids: Ids) => Promise<readonly (First | undefined)[]>;

/** Answers of the index, or undefined for all of them when it did not answer in time. */
export type Known = readonly (First | undefined)[] | undefined;

interface Waiting {
  readonly ids: Ids;
  readonly resolve: (known: Known) => void;
}

const MAX_IDS = 2_000;
/**
 * Turns of the loop that a question waits for others. A turn is over at once while little happens and takes longer the more there is to do:
 * questions grow with the load, and nobody waits for a clock.
 */
const GATHER_TURNS = 4;

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate);
}

/**
 * Asks the duplicate index, joining the questions of all requests of a few turns of the loop, and of those that wait while one is under way (self-clocked).
 * Never throws: an index that fails or is slow answers undefined, and the caller appends unchecked (R2.4).
 */
export class IndexLookup {
  #waiting: Waiting[] = [];
  #busy = false;

  constructor(
    private readonly findFirst: FindFirst,
    private readonly maxMs: number,
  ) {}

  ask(ids: Ids): Promise<Known> {
    return new Promise((resolve) => {
      this.#waiting.push({ ids, resolve });
      if (this.#busy) return;
      this.#busy = true;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    do {
      await turns(GATHER_TURNS);
      const asked: Waiting[] = [];
      let count = 0;
      while (this.#waiting.length > 0 && (asked.length === 0 || count + this.#waiting[0]!.ids.length <= MAX_IDS)) {
        const next = this.#waiting.shift()!;
        asked.push(next);
        count += next.ids.length;
      }
      const known = await this.#inTime(asked.length === 1 ? asked[0]!.ids : asked.flatMap((a) => a.ids));
      let at = 0;
      for (const a of asked) {
        a.resolve(known?.slice(at, at + a.ids.length));
        at += a.ids.length;
      }
    } while (this.#waiting.length > 0);
    this.#busy = false;
  }

  #inTime(ids: Ids): Promise<Known> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(undefined);
      }, this.maxMs);
      const done = (known: Known): void => {
        clearTimeout(timer);
        resolve(known);
      };
      try {
        this.findFirst(ids).then(done, () => {
          done(undefined);
        });
      } catch {
        done(undefined);
      }
    });
  }
}
