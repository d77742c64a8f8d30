/**
 * The same items in the same order, with the next one asked for while this one is in work: then the hub makes a page while the handlers work on the one before. Holds
 * one item ahead, never more. An error comes behind the items before it. When the reader leaves early, what is under way ends by the signal that its maker was given.
 */
export async function* oneAhead<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const source = items[Symbol.asyncIterator]();
  let next = source.next();
  try {
    for (;;) {
      const item = await next;
      if (item.done === true) return;
      next = source.next();
      // Told when it is its turn.
      next.catch(() => undefined);
      yield item.value;
    }
  } finally {
    // Not awaited: a long poll that is under way would hold up the one who leaves.
    source.return?.().catch(() => undefined);
  }
}
