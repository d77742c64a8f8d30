import { READY, TIMED, type Lane } from './lane.js';

/** Lanes whose head may be tried, first come, first served. What is not ready any more is passed over. */
export class ReadyLanes<E> {
  #lanes: Lane<E>[] = [];
  #at = 0;

  push(lane: Lane<E>): void {
    this.#lanes.push(lane);
  }

  peek(): Lane<E> | undefined {
    for (;;) {
      const lane = this.#lanes[this.#at];
      if (lane === undefined || lane.state === READY) return lane;
      this.shift();
    }
  }

  /** Removes what `peek` showed. */
  shift(): void {
    this.#lanes[this.#at++] = undefined as never;
    if (this.#at === this.#lanes.length) this.#lanes.length = this.#at = 0;
    else if (this.#at >= 1024) {
      this.#lanes = this.#lanes.slice(this.#at);
      this.#at = 0;
    }
  }
}

interface Timer<E> {
  readonly at: number;
  readonly lane: Lane<E>;
}

/** Lanes that wait for a time: a binary heap. An element whose lane waits for another time by now is passed over. */
export class TimedLanes<E> {
  readonly #heap: Timer<E>[] = [];

  push(lane: Lane<E>): void {
    const heap = this.#heap;
    const timer = { at: lane.due, lane };
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= timer.at) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = timer;
  }

  /** When the first lane is due. */
  nextAt(): number | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      if (top.lane.state === TIMED && top.lane.due === top.at) return top.at;
      this.#pop();
    }
  }

  /** The first lane, when it is due. */
  due(now: number): Lane<E> | undefined {
    const at = this.nextAt();
    if (at === undefined || at > now) return undefined;
    return this.#pop().lane;
  }

  #pop(): Timer<E> {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}
