const FIRST_CHUNK = 16_384;
const CHUNK = 262_144;
/** A UTF-16 unit takes at most so many bytes as UTF-8. */
const UNIT_BYTES = 3;

/**
 * The texts of a page as the bytes that are sent. Each text is written as soon as it is made and is garbage then: kept as strings, the texts of a large page
 * are copied by each scavenge until the page is sent.
 */
export class PageText {
  readonly #between: string;
  readonly #full: Buffer[] = [];
  #chunk = Buffer.allocUnsafeSlow(FIRST_CHUNK);
  #at: number;
  #texts = 0;

  /** ASCII text that stands before the first text, and between two. */
  constructor(before: string, between: string) {
    this.#between = between;
    this.#at = this.#chunk.write(before, 'latin1');
  }

  /** Number of texts. */
  get texts(): number {
    return this.#texts;
  }

  /** Adds a text. Answers its bytes. */
  add(text: string): number {
    const between = this.#texts++ === 0 ? '' : this.#between;
    this.#makeRoom(between, text);
    this.#at += this.#chunk.write(between, this.#at, 'latin1');
    const bytes = this.#chunk.write(text, this.#at);
    this.#at += bytes;
    return bytes;
  }

  /** All bytes, with this ASCII text at the end. Nothing is added later. */
  end(after: string): Buffer {
    return Buffer.concat([...this.#full, this.#chunk.subarray(0, this.#at), Buffer.from(after, 'latin1')]);
  }

  #makeRoom(between: string, text: string): void {
    const free = this.#chunk.length - this.#at - between.length;
    if (text.length * UNIT_BYTES <= free) return;
    const bytes = Buffer.byteLength(text);
    if (bytes <= free) return;
    this.#full.push(this.#chunk.subarray(0, this.#at));
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK, bytes + between.length));
    this.#at = 0;
  }
}
