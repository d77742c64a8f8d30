import type { Turn } from '#limits';

/** What `each` makes of 0 to count - 1, in turns. */
export async function eachInTurns<T>(count: number, each: (index: number) => T, turn: Turn): Promise<T[]> {
  const out: T[] = [];
  for (let i = 0; i < count; i++) {
    if (turn.isOver) await turn.next();
    out.push(each(i));
  }
  return out;
}
