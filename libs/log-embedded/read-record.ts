import type { Header, HeaderPlaces } from '#event';
import type { LogRecord } from '#log';
import { HEAD } from './row.js';

/** What the records of one append have in common. */
export interface AppendBytes {
  readonly data: Buffer;
  readonly names: NamesOfAppend;
}

/**
 * A record as it lies in the bytes of its append: key, value and headers are cut out anew each time somebody asks for them, and the record does not keep them. What is
 * read ahead waits long enough for V8 to move it to its old generation; a young object that an old one points to is copied twice and collected late.
 */
export class ReadRecord implements LogRecord {
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly leaderEpoch = 0;
  readonly #append: AppendBytes;
  readonly #at: number;

  /** `at`: the place of its first number. */
  constructor(append: AppendBytes, at: number, offset: bigint, appendTimeMs: number) {
    this.offset = offset;
    this.appendTimeMs = appendTimeMs;
    this.#append = append;
    this.#at = at;
  }

  get size(): number {
    return this.#append.data.readInt32LE(this.#at + 4) + 8;
  }

  get key(): Buffer | null {
    return this.#cut(this.#at + HEAD, this.#length(8));
  }

  get value(): Buffer | null {
    return this.#cut(this.#at + HEAD + Math.max(0, this.#length(8)), this.#length(12));
  }

  get headers(): readonly Header[] {
    const headers: Header[] = [];
    this.#eachHeader((name, from, to) => headers.push([name, to < 0 ? null : this.#cut(from, to - from)]));
    return headers;
  }

  placeHeaders(places: HeaderPlaces): void {
    const { data } = this.#append;
    places.count = 0;
    this.#eachHeader((name, from, to) => places.add(name, data, from, to));
  }

  /** `to`: −1 for null. */
  #eachHeader(found: (name: string, from: number, to: number) => void): void {
    const { data, names } = this.#append;
    let at = this.#at + HEAD + Math.max(0, this.#length(8)) + Math.max(0, this.#length(12));
    for (let i = 0, count = this.#length(16); i < count; i++) {
      const nameLength = data.readInt32LE(at);
      const length = data.readInt32LE(at + 4);
      const from = at + 8 + nameLength;
      found(names.read(i, data, at + 8, nameLength), from, length < 0 ? -1 : from + length);
      at = from + Math.max(0, length);
    }
  }

  /** One of the numbers in front of the key. */
  #length(behind: number): number {
    return this.#append.data.readInt32LE(this.#at + behind);
  }

  #cut(from: number, length: number): Buffer | null {
    return length < 0 ? null : this.#append.data.subarray(from, from + length);
  }
}

/**
 * Most records of an append have the same header names in the same order. The string of the last record's i-th name is used again when the bytes are equal: decoding
 * a string for each header takes a third of the reading time.
 */
export class NamesOfAppend {
  readonly #seen: { readonly at: number; readonly length: number; readonly text: string }[] = [];

  read(i: number, data: Buffer, at: number, length: number): string {
    const last = this.#seen[i];
    if (last?.length === length) {
      let same = 0;
      while (same < length && data[last.at + same] === data[at + same]) same++;
      if (same === length) return last.text;
    }
    const text = data.toString('utf8', at, at + length);
    this.#seen[i] = { at, length, text };
    return text;
  }
}
