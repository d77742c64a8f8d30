/** Copies in one chunk of a CopySet, and bytes a copy: its offset and the offset of its original, as numbers. */
const MAX_CHUNK = 1_024;
const FIRST_CHUNK = 4;

/** Up to MAX_CHUNK copies in ascending order: offset, original, offset, original, … */
interface Chunk {
  pairs: Float64Array;
  size: number;
}

/**
 * The copies of one partition, sorted by offset: 16 bytes a copy. Offsets are numbers here: a partition has fewer than 2^53 records.
 * Copies come almost always in ascending order, so adding one is O(1) then; finding one is O(log n).
 */
export class CopySet {
  readonly #chunks: Chunk[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The offset of the original of the copy at this offset. */
  get(offset: number): number | undefined {
    const chunk = this.#chunks[this.#chunkOf(offset)];
    if (chunk === undefined) return undefined;
    const at = placeIn(chunk, offset);
    return at < chunk.size && chunk.pairs[at * 2] === offset ? chunk.pairs[at * 2 + 1] : undefined;
  }

  /** Adds a copy, or replaces its original. */
  add(offset: number, first: number): void {
    const index = Math.max(this.#chunkOf(offset), 0);
    const chunk = (this.#chunks[index] ??= { pairs: new Float64Array(FIRST_CHUNK * 2), size: 0 });
    const at = placeIn(chunk, offset);
    if (at < chunk.size && chunk.pairs[at * 2] === offset) {
      chunk.pairs[at * 2 + 1] = first;
      return;
    }
    if (chunk.size === MAX_CHUNK) {
      this.#split(index, at === MAX_CHUNK && index === this.#chunks.length - 1);
      this.add(offset, first);
      return;
    }
    if (chunk.size * 2 === chunk.pairs.length) chunk.pairs = grown(chunk.pairs);
    chunk.pairs.copyWithin(at * 2 + 2, at * 2, chunk.size * 2);
    chunk.pairs[at * 2] = offset;
    chunk.pairs[at * 2 + 1] = first;
    chunk.size++;
    this.#size++;
  }

  /** Offset and original of every copy, by ascending offset. */
  *entries(): IterableIterator<readonly [offset: number, first: number]> {
    for (const { pairs, size } of this.#chunks)
      for (let i = 0; i < size; i++) yield [pairs[i * 2]!, pairs[i * 2 + 1]!] as const;
  }

  /** The last chunk that begins at or below the offset; -1 when none does. */
  #chunkOf(offset: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#chunks[middle]!.pairs[0]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** A full chunk: `append` begins a new one behind it, else it becomes two halves. */
  #split(index: number, append: boolean): void {
    const chunk = this.#chunks[index]!;
    const keep = append ? MAX_CHUNK : MAX_CHUNK / 2;
    const rest: Chunk = { pairs: new Float64Array(MAX_CHUNK * 2), size: MAX_CHUNK - keep };
    rest.pairs.set(chunk.pairs.subarray(keep * 2));
    chunk.size = keep;
    // An empty chunk has no first offset to be found by: it begins with a value that the caller's offset is not below.
    if (append) rest.pairs[0] = chunk.pairs[keep * 2 - 2]!;
    this.#chunks.splice(index + 1, 0, rest);
  }
}

/** The first place in a chunk whose offset is not below this one. */
function placeIn({ pairs, size }: Chunk, offset: number): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (pairs[middle * 2]! < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function grown(pairs: Float64Array): Float64Array {
  const more = new Float64Array(Math.min(pairs.length * 2, MAX_CHUNK * 2));
  more.set(pairs);
  return more;
}
