import type { AnswerHead, AnswerSink } from './answer-reader.js';
import type { Connection } from './connection.js';
import { Ended } from './ended.js';
import type { Request } from './request.js';

/** What became of one HTTP request. */
export type Answer =
  /** `ended`: the whole body came, or as much of it as is read. Otherwise the answer broke off after its head, with `error`. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly begin: Buffer | undefined;
      readonly error: Error | undefined;
    }
  /** `sent`: the request went out on a connection, as a whole or in part. */
  | { readonly kind: 'none'; readonly sent: boolean; readonly error: Error };

/** Of the body of an answer, what is read before the connection is dropped. */
const MOST_BYTES = 65_536;
/** Enough for 1,000 characters. */
const KEPT_BYTES = 4_000;
/** Answers 1xx before the answer. */
const MOST_INFORMATIONAL = 8;

/** One request and its answer. `done` is called once. */
export class Exchange implements AnswerSink {
  readonly request: Request;
  /** Where it goes. */
  readonly origin: { readonly isConnected: boolean };
  /** By performance.now(): it is given up then. */
  until = 0;
  /** A connection is being made for it. */
  isConnecting = false;
  readonly #done: (answer: Answer) => void;
  #connection: Connection | undefined;
  #isOver = false;
  #informational = 0;
  #head: AnswerHead | undefined;
  #bytes = 0;
  readonly #begin: Buffer[] = [];

  constructor(request: Request, origin: Exchange['origin'], done: (answer: Answer) => void) {
    this.request = request;
    this.origin = origin;
    this.#done = done;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** It goes out, or has. */
  get isSent(): boolean {
    return this.#connection !== undefined;
  }

  /** Its time is over. */
  expire(): void {
    this.end(new Ended(!this.isSent && this.origin.isConnected ? 'NO_TURN' : 'TIMEOUT'));
  }

  /** Gives the request up. One that waits for a connection is never sent; one that is under way costs its connection. */
  end(error: Error): void {
    if (this.#isOver) return;
    this.finish(error);
    this.#connection?.drop();
  }

  sentOn(connection: Connection): void {
    this.#connection = connection;
  }

  hint(): void {
    this.#informational += 1;
    if (this.#informational > MOST_INFORMATIONAL) this.end(new Ended('TOO_MANY_INFORMATIONAL'));
  }

  head(head: AnswerHead): void {
    this.#head = head;
  }

  data(bytes: Buffer): void {
    const kept = this.#bytes;
    if (kept < KEPT_BYTES) this.#begin.push(Buffer.from(bytes.subarray(0, KEPT_BYTES - kept)));
    this.#bytes += bytes.length;
    if (this.#bytes < MOST_BYTES) return;
    this.finish();
    this.#connection?.drop();
  }

  /** Without an error: the answer has ended. */
  finish(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const head = this.#head;
    if (head === undefined) {
      this.#done({ kind: 'none', sent: this.isSent, error: error ?? new Ended('ENDED') });
      return;
    }
    const begin = this.#begin.length === 0 ? undefined : Buffer.concat(this.#begin);
    this.#done({ kind: 'answer', status: head.status, headers: head.headers, begin, error });
  }
}
