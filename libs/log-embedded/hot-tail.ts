/** Rows appended by this process count as hot until so many bytes were appended behind them: they are still in memory. */
const HOT_BYTES = 64 << 20;
const CHUNK_BYTES = 64 << 10;

interface Chunk {
  readonly part: number;
  /** The offset behind the chunk. */
  end: number;
  bytes: number;
}

/** Which offsets can be read without waiting for the disk: the last 64 MiB that this process has appended. */
export class HotTail {
  readonly #chunks: Chunk[] = [];
  readonly #newest = new Map<number, Chunk>();
  readonly #from = new Map<number, number>();
  #bytes = 0;

  isHot(part: number, from: bigint): boolean {
    const hotFrom = this.#from.get(part);
    return hotFrom !== undefined && from >= BigInt(hotFrom);
  }

  appended(part: number, base: number, count: number, bytes: number): void {
    if (!this.#from.has(part)) this.#from.set(part, base);
    let chunk = this.#newest.get(part);
    if (!chunk || chunk.bytes >= CHUNK_BYTES) {
      chunk = { part, end: base, bytes: 0 };
      this.#newest.set(part, chunk);
      this.#chunks.push(chunk);
    }
    chunk.end = base + count;
    chunk.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > HOT_BYTES && this.#chunks.length > 1) this.#forget(this.#chunks.shift()!);
  }

  #forget(chunk: Chunk): void {
    this.#bytes -= chunk.bytes;
    if (this.#newest.get(chunk.part) === chunk) {
      this.#newest.delete(chunk.part);
      this.#from.delete(chunk.part);
    } else this.#from.set(chunk.part, chunk.end);
  }
}
