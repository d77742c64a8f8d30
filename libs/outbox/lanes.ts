/** A queued event, without its content. */
export interface Item {
  /** Place in the order of queueing. */
  readonly seq: number;
  /** Ordering key. */
  readonly key: string;
  readonly urgent: boolean;
  readonly bytes: number;
}

/** The items of one ordering key. */
interface Lane {
  readonly key: string;
  /** Waiting, in the order of their numbers. */
  items: Item[];
  /** Index of the first that waits; those before it are taken. */
  head: number;
  /** An item is taken and has no outcome. */
  busy: boolean;
  stopped: boolean;
  /** Number of the last urgent item: what waits before it in the lane is as urgent. */
  urgentThrough: number;
}

/** A lane whose first item may be taken. Stale when the lane has changed since. */
interface Ready {
  readonly lane: Lane;
  readonly seq: number;
  readonly urgent: boolean;
}

export interface TakeLimits {
  readonly events: number;
  readonly bytes: number;
  readonly urgentOnly?: boolean;
}

const before = (a: Ready, b: Ready): boolean => (a.urgent === b.urgent ? a.seq < b.seq : a.urgent);

/**
 * The order in which queued events are sent. Items of one key (a lane) leave one by one, in the order of their numbers: the next only when the one before is settled.
 * Between lanes urgent ones go first, then the one that waits longest. An urgent item makes the earlier items of its lane urgent, so it overtakes other lanes and
 * never its own.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  /** A binary heap by `before`. */
  readonly #ready: Ready[] = [];
  #waiting = 0;
  #stoppedItems = 0;

  /** Items that are not taken, also those of stopped lanes. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Items that wait in stopped lanes. */
  get stopped(): number {
    return this.#stoppedItems;
  }

  stoppedKeys(): string[] {
    return [...this.#lanes.values()].filter((l) => l.stopped).map((l) => l.key);
  }

  /** Adds an item; its number may be below those that wait (an item that is sent again). */
  add(item: Item): void {
    const lane = this.#laneOf(item.key);
    const { items } = lane;
    let at = items.length;
    while (at > lane.head && items[at - 1]!.seq > item.seq) at--;
    items.splice(at, 0, item);
    this.#waiting++;
    if (lane.stopped) this.#stoppedItems++;
    if (item.urgent) lane.urgentThrough = Math.max(lane.urgentThrough, item.seq);
    if (at === lane.head || item.urgent) this.#offer(lane);
  }

  /** The next items to send, in their order. Each must be settled or put back. */
  take({ events, bytes, urgentOnly = false }: TakeLimits): Item[] {
    const out: Item[] = [];
    let size = 0;
    while (out.length < events) {
      const ready = this.#first();
      if (ready === undefined || (urgentOnly && !ready.urgent)) break;
      const { lane } = ready;
      if (out.length > 0 && size + lane.items[lane.head]!.bytes > bytes) break;
      this.#pop();
      const item = lane.items[lane.head++]!;
      lane.busy = true;
      this.#waiting--;
      out.push(item);
      size += item.bytes;
      if (lane.head > 1024 && lane.head * 2 > lane.items.length) this.#compact(lane);
    }
    return out;
  }

  /** The item has its outcome. */
  settle({ key }: Item): void {
    const lane = this.#laneOf(key);
    lane.busy = false;
    this.#offer(lane);
  }

  /** The item has none and waits again, before the later ones of its lane. */
  putBack(item: Item): void {
    this.#laneOf(item.key).busy = false;
    this.add(item);
  }

  /** Nothing more of the key is taken, until go(). */
  stop(key: string): void {
    const lane = this.#laneOf(key);
    if (lane.stopped) return;
    lane.stopped = true;
    this.#stoppedItems += lane.items.length - lane.head;
  }

  go(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined || !lane.stopped) return;
    lane.stopped = false;
    this.#stoppedItems -= lane.items.length - lane.head;
    this.#offer(lane);
  }

  #laneOf(key: string): Lane {
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane: Lane = { key, items: [], head: 0, busy: false, stopped: false, urgentThrough: -1 };
    this.#lanes.set(key, lane);
    return lane;
  }

  #compact(lane: Lane): void {
    lane.items = lane.items.slice(lane.head);
    lane.head = 0;
  }

  /** Makes a lane ready when it is, and forgets an empty one. */
  #offer(lane: Lane): void {
    if (lane.busy || lane.stopped) return;
    const item = lane.items[lane.head];
    if (item === undefined) this.#lanes.delete(lane.key);
    else this.#push({ lane, seq: item.seq, urgent: item.seq <= lane.urgentThrough });
  }

  #isCurrent({ lane, seq, urgent }: Ready): boolean {
    const isFree = !lane.busy && !lane.stopped && this.#lanes.get(lane.key) === lane;
    return isFree && lane.items[lane.head]?.seq === seq && urgent === seq <= lane.urgentThrough;
  }

  #first(): Ready | undefined {
    while (this.#ready.length > 0 && !this.#isCurrent(this.#ready[0]!)) this.#pop();
    return this.#ready[0];
  }

  #push(ready: Ready): void {
    const heap = this.#ready;
    let at = heap.push(ready) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(ready, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = ready;
  }

  #pop(): void {
    const heap = this.#ready;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
