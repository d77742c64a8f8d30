import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher, Pool } from 'undici';

/** What became of one HTTP request. */
export type Answer =
  /** `ended`: the whole body came, or as much of it as is read. Otherwise the answer broke off after its head, with `error`. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly begin: Buffer | undefined;
      readonly error: Error | undefined;
    }
  /** `sent`: the request went out on a connection, as a whole or in part. */
  | { readonly kind: 'none'; readonly sent: boolean; readonly error: Error };

/** Why the sender itself ended an exchange. */
export class Ended extends Error {
  readonly code: 'TIMEOUT' | 'NO_TURN' | 'CANCELLED' | 'CLOSED' | 'TOO_MANY_INFORMATIONAL' | 'ENOUGH';
  /** `NO_TURN`: all connections were in use until the time was over. */
  constructor(code: Ended['code']) {
    super(code);
    this.code = code;
  }
}

/** Of the body of an answer, what is read before the connection is dropped. */
const MOST_BYTES = 65_536;
/** Enough for 1,000 characters. */
const KEPT_BYTES = 4_000;
/** Answers 1xx before the answer. */
const MOST_INFORMATIONAL = 8;

/**
 * One request on a dispatcher. It is a handler of undici itself, because a stream and a promise for the body of each answer cost more than the request. `done` is
 * called once.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #done: (answer: Answer) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #over = false;
  #informational = 0;
  #status = 0;
  #headers: IncomingHttpHeaders | undefined;
  #bytes = 0;
  #begin: Buffer | undefined;

  /** `ms`: for everything, from now to the end of the answer. */
  constructor(pool: Pool, ms: number, done: (answer: Answer) => void) {
    this.#done = done;
    this.#timer = setTimeout(() => {
      const waits = this.#controller === undefined && pool.stats.connected > 0;
      this.end(new Ended(waits ? 'NO_TURN' : 'TIMEOUT'));
    }, ms);
  }

  /** Gives the request up. One that waits for a connection is never sent; one that is under way costs its connection. */
  end(error: Error): void {
    if (this.#over) return;
    this.#finish(error);
    this.#controller?.abort(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, the request is left out; an abort would cost the connection on which it was about to go.
    if (this.#over) throw new Ended('CANCELLED');
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) {
      this.#informational += 1;
      if (this.#informational > MOST_INFORMATIONAL) this.end(new Ended('TOO_MANY_INFORMATIONAL'));
      return;
    }
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const kept = this.#begin?.length ?? 0;
    if (kept < KEPT_BYTES) {
      // A copy: the chunk is a part of a larger buffer.
      const part = chunk.subarray(0, KEPT_BYTES - kept);
      this.#begin = this.#begin === undefined ? Buffer.from(part) : Buffer.concat([this.#begin, part]);
    }
    this.#bytes += chunk.length;
    if (this.#bytes < MOST_BYTES) return;
    this.#finish(undefined);
    this.#controller?.abort(new Ended('ENOUGH'));
  }

  onResponseEnd(): void {
    if (!this.#over) this.#finish(undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#over) this.#finish(error);
  }

  #finish(error: Error | undefined): void {
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#headers === undefined) {
      this.#done({ kind: 'none', sent: this.#controller !== undefined, error: error! });
      return;
    }
    this.#done({ kind: 'answer', status: this.#status, headers: this.#headers, begin: this.#begin, error });
  }
}
