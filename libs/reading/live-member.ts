import type { Audience, Excerpt, Round } from './audience.js';
import { dataLine, END_OF_MESSAGE, idLine } from './live-message.js';
import type { TailEntry } from './ring.js';
import type { Member, StreamTail } from './tail.js';

/** Where the messages of a live reader go. */
export interface LiveSink {
  /** Sends whole messages. `full`: the reader has not taken what was sent before; call resume() when it has. `ended`: there is no reader any more. */
  send(messages: Buffer): 'sent' | 'full' | 'ended';
  /** The log does not answer for now; the stream goes on when it does. */
  interrupted(fault: unknown): void;
}

/** After so many events that the reader does not see, a message with only an id is sent, so that a reconnect does not scan them again. */
const CHECKPOINT_EVENTS = 2_000;

/** A live reader on a tail: it is given the messages of each round until it leaves, is too slow for the ring, or the tail fails. */
export class LiveMember implements Member {
  readonly audience: Audience;
  readonly partitions: readonly number[];
  /** Resolves with the next offsets when the reader is behind the ring or has left; rejects with the fault that ended the tail. */
  readonly left: Promise<readonly bigint[]>;
  at: number;
  full = false;
  readonly #tail: StreamTail;
  readonly #sink: LiveSink;
  readonly #stream: string;
  /** What the reader had before it came; its id counts where it lies above the cursor of the tail. */
  readonly #from: readonly bigint[];
  /** The cursor of the tail behind the last entry. */
  #passed: readonly bigint[] | undefined;
  /** false: the cursor of the tail is the cursor of this reader, so messages are shared. */
  #ownIds: boolean;
  #unseen = 0;
  #leave!: (next: readonly bigint[]) => void;
  #fail!: (fault: unknown) => void;

  constructor(
    tail: StreamTail,
    stream: { readonly name: string; readonly partitions: number },
    place: Pick<Member, 'audience' | 'partitions' | 'at'> & { readonly next: readonly bigint[] },
    sink: LiveSink,
  ) {
    this.#tail = tail;
    this.#stream = stream.name;
    this.audience = place.audience;
    this.partitions = place.partitions;
    this.at = place.at;
    this.#from = place.next;
    this.#sink = sink;
    this.#ownIds = true;
    this.left = new Promise((resolve, reject) => {
      this.#leave = resolve;
      this.#fail = reject;
    });
  }

  /** Next offsets of the reader. */
  get next(): readonly bigint[] {
    return this.#next(this.#passed);
  }

  take(excerpt: Excerpt, round: Round): void {
    const { ring } = this.#tail;
    const messages = this.#ownIds ? this.#own(excerpt) : this.#shared(excerpt, round);
    this.#passed = ring.at(excerpt.to - 1).next;
    if (this.#ownIds) this.#ownIds = this.#hasOwnIds();
    if (messages === undefined) {
      this.#unseen += excerpt.to - excerpt.from;
      if (this.#unseen <= CHECKPOINT_EVENTS) return;
    }
    this.#unseen = 0;
    this.#send(messages ?? Buffer.concat([this.#id(this.next), END_OF_MESSAGE]));
  }

  /** The reader has taken what was sent. */
  resume(): void {
    this.full = false;
    if (this.at < this.#tail.ring.first) this.behind();
    else if (this.at < this.#tail.ring.end) this.#tail.wake();
  }

  behind(): void {
    this.#tail.remove(this, true);
    this.#leave(this.next);
  }

  interrupted(fault: unknown): void {
    this.#sink.interrupted(fault);
  }

  failed(fault: unknown): void {
    this.#tail.remove(this, false);
    this.#fail(fault);
  }

  leave(): void {
    this.#tail.remove(this, false);
    this.#leave(this.next);
  }

  #send(messages: Buffer): void {
    const outcome = this.#sink.send(messages);
    if (outcome === 'ended') this.leave();
    else this.full = outcome === 'full';
  }

  #shared({ from, to, shown, signature }: Excerpt, round: Round): Buffer | undefined {
    if (shown.length === 0) return undefined;
    const key = `${from} ${to} ${signature}`;
    let messages = round.messages.get(key);
    if (messages === undefined) {
      const { ring } = this.#tail;
      const parts = shown.flatMap(({ entry, level }) => [this.#sharedId(entry), dataLine(ring, entry, level)]);
      round.messages.set(key, (messages = Buffer.concat(parts)));
    }
    return messages;
  }

  #sharedId(entry: TailEntry): Buffer {
    if (entry.id === undefined) {
      entry.id = this.#id(entry.next);
      this.#tail.ring.grow(entry, entry.id.length);
    }
    return entry.id;
  }

  #own({ shown }: Excerpt): Buffer | undefined {
    const parts: Buffer[] = [];
    for (const { entry, level } of shown)
      if (entry.offset >= this.#from[entry.partition]!)
        parts.push(this.#id(this.#next(entry.next)), dataLine(this.#tail.ring, entry, level));
    return parts.length === 0 ? undefined : Buffer.concat(parts);
  }

  /** The id of a reader of one partition leaves the others where they were, so its cursor can be used without the filter. */
  #hasOwnIds(): boolean {
    const passed = this.#passed!;
    return this.partitions.length < this.#from.length || this.#from.some((next, p) => next > passed[p]!);
  }

  #next(passed: readonly bigint[] | undefined): readonly bigint[] {
    if (passed === undefined) return this.#from;
    const next = [...this.#from];
    for (const p of this.partitions) if (passed[p]! > next[p]!) next[p] = passed[p]!;
    return next;
  }

  #id(next: readonly bigint[]): Buffer {
    return idLine(this.#stream, this.#tail.topicId, next);
  }
}
