import type { InSteps } from '#avro';
import { ENDLESS, type Limits, type LongWork, type Turn } from '#limits';
import type { FastifyRequest } from 'fastify';
import { goneOf } from '../gone.js';
import { ownerOf } from '../waiting-quota.js';

/** Work of a list, in turns of the key that asks. Without limits: without turns. */
export function workOf({ limits }: { readonly limits?: Limits }, req: FastifyRequest): LongWork {
  return limits?.workOf(ownerOf(req), 'list', goneOf(req)) ?? { run: (work) => work(ENDLESS) };
}

/** Does the steps of a work in turns. */
export async function stepsInTurns<T>(steps: InSteps<T>, turn: Turn): Promise<T> {
  const [done] = await eachStepInTurns(1, () => steps, turn);
  return done as T;
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

/** As eachInTurns, of work in steps. */
export async function eachStepInTurns<T>(count: number, each: (index: number) => InSteps<T>, turn: Turn): Promise<T[]> {
  const out: T[] = [];
  for (let i = 0; i < count; i++) {
    const steps = each(i);
    for (;;) {
      if (turn.isOver) await turn.next();
      const step = steps.next();
      if (step.done !== true) continue;
      out.push(step.value);
      break;
    }
  }
  return out;
}
