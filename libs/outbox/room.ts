import { OutboxFault } from './fault.js';

export interface Limits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

interface Waiter {
  readonly bytes: number;
  readonly limits: Limits;
  resolve(): void;
  reject(fault: OutboxFault): void;
}

/** The part of the outbox that urgent events have for themselves. */
const RESERVE = 0.1;

/** What is queued, against the limits: a caller without room waits (backpressure), urgent ones before the others. */
export class Room {
  readonly #all: Limits;
  readonly #ordinary: Limits;
  readonly #urgent: Waiter[] = [];
  readonly #others: Waiter[] = [];
  #closed: OutboxFault | undefined;
  events = 0;
  bytes = 0;

  constructor(limits: Limits) {
    this.#all = limits;
    this.#ordinary = {
      maxEvents: Math.max(1, Math.floor(limits.maxEvents * (1 - RESERVE))),
      maxBytes: Math.floor(limits.maxBytes * (1 - RESERVE)),
    };
  }

  /** Callers that wait for room. */
  get waiting(): number {
    return this.#urgent.length + this.#others.length;
  }

  /** Takes room for an event. Faults `outbox_event_too_large` at once, `outbox_full` at the deadline. */
  async take(bytes: number, urgent: boolean, deadlineMs: number): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    const limits = urgent ? this.#all : this.#ordinary;
    if (bytes > limits.maxBytes) throw new OutboxFault('outbox_event_too_large', `${bytes} > ${limits.maxBytes} B`);
    const queue = urgent ? this.#urgent : this.#others;
    if (queue.length === 0 && this.#fits(bytes, limits)) return this.add(bytes);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(waiter), 1);
        const { maxEvents, maxBytes } = this.#all;
        reject(new OutboxFault('outbox_full', `${this.events}/${maxEvents}, ${this.bytes}/${maxBytes} B`));
        // A smaller event behind this one may have room.
        this.#wake();
      }, deadlineMs);
      const end =
        <A extends unknown[]>(settle: (...args: A) => void) =>
        (...args: A): void => {
          clearTimeout(timer);
          settle(...args);
        };
      const waiter: Waiter = { bytes, limits, resolve: end(resolve), reject: end(reject) };
      queue.push(waiter);
    });
  }

  /** Counts an event without asking for room: one that is in the file already may be above the limits. */
  add(bytes: number): void {
    this.events++;
    this.bytes += bytes;
  }

  give(bytes: number): void {
    this.events--;
    this.bytes -= bytes;
    this.#wake();
  }

  /** The true size of an event is known. */
  correct(byBytes: number): void {
    this.bytes += byBytes;
    if (byBytes < 0) this.#wake();
  }

  /** Nobody gets room any more. */
  close(fault: OutboxFault): void {
    this.#closed = fault;
    for (const waiter of [...this.#urgent.splice(0), ...this.#others.splice(0)]) waiter.reject(fault);
  }

  #fits(bytes: number, { maxEvents, maxBytes }: Limits): boolean {
    return this.events < maxEvents && this.bytes + bytes <= maxBytes;
  }

  #wake(): void {
    for (const queue of [this.#urgent, this.#others])
      for (let next = queue[0]; next !== undefined && this.#fits(next.bytes, next.limits); next = queue[0]) {
        queue.shift();
        this.add(next.bytes);
        next.resolve();
      }
  }
}
