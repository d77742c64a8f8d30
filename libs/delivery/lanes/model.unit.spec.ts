import { expect, it } from '@jest/globals';
import { Model } from './model.fixture.js';

const SEEDS = 2_500;

it('after crashes anywhere, every event is delivered, or stands in a durable row, or was skipped; in order per lane, repeated only if its end was not durable', () => {
  const first = Math.floor(Math.random() * 1e9);
  const seen: Model['seen'] = { crashes: 0, parked: 0, dead: 0, skipped: 0, repeats: 0, down: 0, held: 0, pauses: 0 };
  for (let seed = first; seed < first + SEEDS; seed++) {
    const model = new Model(seed);
    try {
      model.run(400);
    } catch (e) {
      throw new Error(`seed ${seed}: ${(e as Error).message}`, { cause: e });
    }
    for (const key of Object.keys(seen) as (keyof Model['seen'])[]) seen[key] += model.seen[key];
  }
  process.stdout.write(`seeds ${first} to ${first + SEEDS - 1}: ${JSON.stringify(seen)}\n`);
  // A model in which none of this happens proves nothing.
  for (const [what, count] of Object.entries(seen)) expect([what, count > 10]).toEqual([what, true]);
});
