import { describe, expect, it } from '@jest/globals';
import { oneAhead } from './ahead.js';

async function* numbers(asked: number[], end = 4, fault?: Error): AsyncGenerator<number> {
  for (let n = 1; n <= end; n++) {
    asked.push(n);
    await Promise.resolve();
    yield n;
  }
  if (fault !== undefined) throw fault;
}
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('one page ahead', () => {
  it('asks for the next item while this one is in work, and for no more', async () => {
    const asked: number[] = [];
    const seen: [number, number][] = [];
    for await (const n of oneAhead(numbers(asked))) {
      await settled();
      seen.push([n, asked.at(-1)!]);
    }
    expect(seen).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 4],
    ]);
  });

  it('gives an error behind the items before it', async () => {
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const n of oneAhead(numbers([], 2, new Error('habis')))) {
        await settled();
        seen.push(n);
      }
    };
    await expect(read()).rejects.toThrow('habis');
    expect(seen).toEqual([1, 2]);
  });

  it('lets a reader leave at once, also while the next item is under way', async () => {
    let ended = false;
    const { promise: never, reject } = Promise.withResolvers<void>();
    async function* poll(): AsyncGenerator<number> {
      try {
        yield 1;
        await never;
      } finally {
        ended = true;
      }
    }
    for await (const n of oneAhead(poll())) if (n === 1) break;
    expect(ended).toBe(false);
    reject(new Error('aborted'));
    await settled();
    expect(ended).toBe(true);
  });
});
