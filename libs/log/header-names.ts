// Header names are few and repeat in every record, so their bytes are cached. The bound keeps names from outside from filling the memory.
const cache = new Map<string, Buffer>();
const MAX_CACHED_NAMES = 1_000;

/** The UTF-8 bytes of a header name. The buffer is shared: do not change it. */
export function headerNameBytes(name: string): Buffer {
  let bytes = cache.get(name);
  if (bytes === undefined) {
    bytes = Buffer.from(name);
    if (cache.size < MAX_CACHED_NAMES) cache.set(name, bytes);
  }
  return bytes;
}
