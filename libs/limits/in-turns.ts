import type { Turn } from './turns.js';

/** Work that gives the event loop back between its steps where a turn is over, such as `InSteps` of #avro. */
type Steps<T> = Iterator<unknown, T, undefined>;

/** Does the steps of a work in turns. */
export async function stepsInTurns<T>(steps: Steps<T>, turn: Turn): Promise<T> {
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
export async function eachStepInTurns<T>(count: number, each: (index: number) => Steps<T>, turn: Turn): Promise<T[]> {
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
