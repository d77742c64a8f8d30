import type { Audience, Excerpt } from './audience.js';
import type { Member, StreamTail } from './tail.js';

/** A long poll on a tail: it waits for the first entry that its reader sees. */
export class PollMember implements Member {
  readonly audience: Audience;
  readonly partitions: readonly number[];
  readonly full = false;
  at: number;
  /** Resolves when there may be something to read; rejects with the fault of the log. */
  readonly arrival: Promise<void>;
  readonly #tail: StreamTail;
  readonly #from: readonly bigint[];
  #arrived!: () => void;
  #fail!: (fault: unknown) => void;

  constructor(
    tail: StreamTail,
    place: Pick<Member, 'audience' | 'partitions' | 'at'> & { readonly next: readonly bigint[] },
  ) {
    this.#tail = tail;
    this.audience = place.audience;
    this.partitions = place.partitions;
    this.at = place.at;
    this.#from = place.next;
    this.arrival = new Promise((resolve, reject) => {
      this.#arrived = resolve;
      this.#fail = reject;
    });
  }

  take({ shown }: Excerpt): void {
    if (shown.some(({ entry }) => entry.offset >= this.#from[entry.partition]!)) this.#end(false);
  }

  behind(): void {
    this.#end(true);
  }

  interrupted(fault: unknown): void {
    this.failed(fault);
  }

  failed(fault: unknown): void {
    this.#tail.remove(this, false);
    this.#fail(fault);
  }

  leave(): void {
    this.#end(false);
  }

  #end(behind: boolean): void {
    this.#tail.remove(this, behind);
    this.#arrived();
  }
}
