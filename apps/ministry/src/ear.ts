import { isSdkFault, type ReadEvent } from '#sdk';
import type { Office } from './office.js';

export interface Wish {
  readonly office: Office;
  readonly stream: string;
  readonly types: readonly string[];
  /** Only events that concern the office itself. */
  readonly own?: boolean;
}

export type Heard = (event: ReadEvent, office: Office) => void;

/**
 * Standing reads of offices: each is a live stream of its own through the hub, under the office's own key, resumed after every cut.
 * `from`: recorded time at which the day began, so that a cut before the first event loses nothing.
 */
export class Ear {
  readonly #stop = new AbortController();
  readonly #from: string;
  readonly #all: Promise<void>[] = [];
  readonly #onFault: (text: string) => void;
  heard = 0;
  cuts = 0;

  constructor(from: string, onFault: (text: string) => void) {
    this.#from = from;
    this.#onFault = onFault;
  }

  get streams(): number {
    return this.#all.length;
  }

  listen(wish: Wish, heard: Heard): void {
    this.#all.push(this.#follow(wish, heard));
  }

  async #follow({ office, stream, types, own }: Wish, heard: Heard): Promise<void> {
    try {
      const events = office.reader.live(stream, {
        from: this.#from,
        type: types,
        ...(own === true ? { unit: office.owner } : {}),
        signal: this.#stop.signal,
        onCut: () => this.cuts++,
        onGap: () => this.#onFault(`${office.name}: ${stream}: gap`),
      });
      for await (const e of events) {
        this.heard++;
        heard(e, office);
      }
    } catch (e) {
      this.#onFault(`${office.name}: ${stream}: ${isSdkFault(e) ? e.message : String(e)}`);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#all);
  }
}
