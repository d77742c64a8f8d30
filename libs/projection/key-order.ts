import type { Entry } from '#state';

/** The order of two keys by their UTF-8 bytes, without making those bytes. */
export function compareKeys(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // UTF-16 has the characters above U+FFFF as surrogates, below U+E000; in UTF-8 they come last.
    const isX = x >= 0xd800 && x <= 0xdfff;
    const isY = y >= 0xd800 && y <= 0xdfff;
    return isX === isY ? x - y : isX ? 1 : -1;
  }
  return a.length - b.length;
}

/** The entries of several partitions, each in key order, by key in key order, up to `bound`. Total. */
export function* byKey(
  pages: readonly { readonly entries: readonly Entry[] }[],
  bound: string | undefined,
): IterableIterator<readonly [key: string, entries: readonly Entry[]]> {
  const at = pages.map(() => 0);
  for (;;) {
    let key: string | undefined;
    for (const [p, { entries }] of pages.entries()) {
      const head = entries[at[p]!]?.key;
      if (head !== undefined && (key === undefined || compareKeys(head, key) < 0)) key = head;
    }
    if (key === undefined || (bound !== undefined && compareKeys(key, bound) > 0)) return;
    const same: Entry[] = [];
    for (const [p, { entries }] of pages.entries()) {
      const head = entries[at[p]!];
      if (head?.key !== key) continue;
      same.push(head);
      at[p]!++;
    }
    yield [key, same];
  }
}
