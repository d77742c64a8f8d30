import { ENDLESS, type Limits, type LongWork, type Turn } from '#limits';
import type { FastifyRequest } from 'fastify';
import { ownerOf } from '../waiting-quota.js';

/** Work of a list, in turns of the key that asks. Without limits: without turns. */
export function workOf({ limits }: { readonly limits?: Limits }, req: FastifyRequest): LongWork {
  return limits?.workOf(ownerOf(req)) ?? { run: (work) => work(ENDLESS) };
}

/** What `each` makes of 0 to count - 1, in turns. */
export async function eachInTurns<T>(count: number, each: (index: number) => T, turn: Turn): Promise<T[]> {
  const out: T[] = [];
  for (let i = 0; i < count; i++) {
    if (turn.isOver) await turn.next();
    out.push(each(i));
  }
  return out;
}
