import { Ended } from './ended.js';

/** What the head of an answer says. The names of `headers` are in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Who is told of an answer. */
export interface AnswerSink {
  /** Nothing more of the answer is read. */
  readonly isOver: boolean;
  /** An answer 1xx before the answer. */
  hint(): void;
  head(head: AnswerHead): void;
  /** The bytes are another's: they are copied if they are kept. */
  data(bytes: Buffer): void;
}

interface ReadHead extends AnswerHead {
  /** Bytes of the body. */
  readonly length: number | 'chunks' | 'until the end';
  /** Whether the connection stays, and for how long it may idle, ms. undefined: the receiver does not say. */
  readonly keep: boolean;
  readonly idleMs: number | undefined;
}

type State = 'head' | 'body' | 'size' | 'chunk' | 'chunk end' | 'trailers';

const MOST_HEAD = 16_384;
const MOST_SIZE_LINE = 1_024;
const BEGIN = 'HTTP/1.';
const STATUS = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** Control characters but for the tabulator. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\n-\x1f\x7f]/;
const SIZE = /^([0-9a-f]{1,8})[ \t]*(?:;|$)/i;
/** Sooner than the receiver closes it: a request may be on its way. */
const EARLIER_MS = 2_000;

/**
 * Reads the answers of one connection, one after the other (HTTP/1.1, RFC 9112). It is strict: what is ambiguous is no answer. Errors are `Ended` with
 * INVALID_ANSWER or ANSWER_TOO_LARGE.
 */
export class AnswerReader {
  #state: State = 'head';
  /** Of a head or line that is not complete. */
  #kept = '';
  /** Bytes of the body or chunk that are to come; of trailers: that came. */
  #left = 0;
  #next = 0;
  #head: ReadHead | undefined;
  #text = '';

  /** Whether the connection may be used again, once an answer has ended. */
  get keep(): boolean {
    return this.#head?.keep === true;
  }

  get idleMs(): number | undefined {
    return this.#head?.idleMs;
  }

  /** true: the answer has ended. Bytes behind it belong to no request, so the connection is not used again. */
  read(chunk: Buffer, sink: AnswerSink): boolean {
    this.#next = 0;
    while (!sink.isOver) {
      if (!this.#step(chunk, sink)) {
        if (this.#next >= chunk.length) return false;
        continue;
      }
      this.#state = 'head';
      if (this.#next < chunk.length) this.#head = { ...this.#head!, keep: false };
      return true;
    }
    return false;
  }

  /** The connection has ended. true: so has the answer. */
  end(): boolean {
    return this.#state === 'body' && this.#left === Infinity;
  }

  /** true: the answer has ended. */
  #step(chunk: Buffer, sink: AnswerSink): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead(chunk, sink);
      case 'body':
        return this.#readBytes(chunk, sink);
      case 'size':
        this.#readSize(chunk);
        return false;
      case 'chunk':
        if (this.#readBytes(chunk, sink)) this.#state = 'chunk end';
        return false;
      case 'chunk end': {
        if (this.#isLineEnd(chunk, this.#next)) {
          this.#next += 2;
          this.#state = 'size';
          return false;
        }
        const text = this.#take(chunk, '\r\n', 2);
        if (text !== undefined && text !== '') throw new Ended('INVALID_ANSWER');
        if (text === '') this.#state = 'size';
        return false;
      }
      case 'trailers': {
        const line = this.#take(chunk, '\r\n', MOST_HEAD - this.#left);
        this.#left += (line?.length ?? 0) + 2;
        return line === '';
      }
    }
  }

  #readHead(chunk: Buffer, sink: AnswerSink): boolean {
    const text = this.#take(chunk, '\r\n\r\n', MOST_HEAD);
    if (text === undefined) {
      // What speaks another protocol may never end its head.
      if (!BEGIN.startsWith(this.#kept.slice(0, BEGIN.length))) throw new Ended('INVALID_ANSWER');
      return false;
    }
    // A receiver says the same again and again.
    if (text !== this.#text || this.#head === undefined) {
      this.#head = headOf(text);
      this.#text = text;
    }
    const head = this.#head;
    const { status } = head;
    if (status < 200) {
      if (status < 102) throw new Ended('INVALID_ANSWER');
      this.#head = undefined;
      sink.hint();
      return false;
    }
    sink.head(head);
    const { length } = head;
    if (length === 'chunks') this.#state = 'size';
    else {
      this.#left = length === 'until the end' ? Infinity : length;
      this.#state = 'body';
    }
    return length === 0;
  }

  /** true: all of them. */
  #readBytes(chunk: Buffer, sink: AnswerSink): boolean {
    const end = Math.min(chunk.length, this.#next + this.#left);
    if (end > this.#next) {
      this.#left -= end - this.#next;
      const bytes = chunk.subarray(this.#next, end);
      this.#next = end;
      sink.data(bytes);
    }
    return this.#left === 0;
  }

  /** Whether a line that is complete in this chunk ends at a place. */
  #isLineEnd(chunk: Buffer, at: number): boolean {
    return this.#kept === '' && chunk[at] === 13 && chunk[at + 1] === 10;
  }

  /** A size of one digit that is all of its line: of such chunks there may be many. */
  #readDigit(chunk: Buffer): boolean {
    const digit = chunk[this.#next]! - 48;
    if (!(digit > 0 && digit <= 9) || !this.#isLineEnd(chunk, this.#next + 1)) return false;
    this.#next += 3;
    this.#left = digit;
    this.#state = 'chunk';
    return true;
  }

  #readSize(chunk: Buffer): void {
    if (this.#readDigit(chunk)) return;
    const line = this.#take(chunk, '\r\n', MOST_SIZE_LINE);
    if (line === undefined) return;
    const size = SIZE.exec(line);
    if (size === null || CONTROL.test(line)) throw new Ended('INVALID_ANSWER');
    this.#left = parseInt(size[1]!, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
  }

  /** The text before `mark`, which is passed over; undefined: it has not come yet. */
  #take(chunk: Buffer, mark: string, most: number): string | undefined {
    const before = this.#kept.length;
    const at = this.#next;
    // One byte more than there may be; of a line no more than it has: a chunk of one byte must not cost the text of those behind it.
    let last = Math.min(chunk.length, at + most + mark.length + 1);
    const line = mark.length === 2 ? chunk.indexOf(10, at) : -1;
    if (line >= 0 && line < last) last = line + 1;
    const text = this.#kept + chunk.toString('latin1', at, last);
    const end = text.indexOf(mark, Math.max(0, before - mark.length + 1));
    if ((end < 0 ? text.length - mark.length : end) > most) throw new Ended('ANSWER_TOO_LARGE');
    if (end < 0) {
      this.#kept = text;
      this.#next = last;
      return undefined;
    }
    this.#kept = '';
    this.#next = at + end + mark.length - before;
    return text.slice(0, end);
  }
}

function headOf(text: string): ReadHead {
  const [first, ...lines] = text.split('\r\n');
  const status = STATUS.exec(first!);
  if (status === null || CONTROL.test(first!)) throw new Ended('INVALID_ANSWER');
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1);
    if (!NAME.test(name) || CONTROL.test(value)) throw new Ended('INVALID_ANSWER');
    const known = headers[name];
    headers[name] = known === undefined ? value.trim() : `${known}, ${value.trim()}`;
  }
  const code = Number(status[2]);
  const length = lengthOf(headers);
  const hasNoBody = code < 200 || code === 204 || code === 304;
  const connection = headers['connection']?.toLowerCase() ?? '';
  const idle = /(?:^|[,; ])timeout=(\d{1,6})/i.exec(headers['keep-alive'] ?? '')?.[1];
  const idleMs = idle === undefined ? undefined : Number(idle) * 1_000 - EARLIER_MS;
  // A body that is not to be there may come all the same.
  const isLying = hasNoBody && length !== 'until the end' && length !== 0;
  const isOpen = status[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive');
  const keep = isOpen && !isLying && (hasNoBody || length !== 'until the end') && (idleMs ?? 1) > 0;
  return { status: code, headers, length: hasNoBody ? 0 : length, keep, idleMs };
}

function lengthOf(headers: Readonly<Record<string, string>>): ReadHead['length'] {
  const length = headers['content-length'];
  const encoding = headers['transfer-encoding'];
  if (length !== undefined && (encoding !== undefined || !/^\d{1,15}$/.test(length))) throw new Ended('INVALID_ANSWER');
  if (encoding !== undefined) return /(?:^|[, \t])chunked$/i.test(encoding) ? 'chunks' : 'until the end';
  return length === undefined ? 'until the end' : Number(length);
}
