import { expect, it } from '@jest/globals';
import { Model } from './model.fixture.js';

const SEEDS = 2_500;

it('after crashes anywhere, every event is delivered, or stands in a durable row, or was skipped; in order per lane, repeated only if its end was not durable', () => {
  const first = Math.floor(Math.random() * 1e9);
  const seen: Partial<Model['seen']> = {};
  for (let seed = first; seed < first + SEEDS; seed++) {
    const model = new Model(seed);
    try {
      model.run(400);
    } catch (e) {
      throw new Error(`seed ${seed}: ${(e as Error).message}`, { cause: e });
    }
    for (const key of Object.keys(model.seen) as (keyof Model['seen'])[])
      seen[key] = (seen[key] ?? 0) + model.seen[key];
  }
  process.stdout.write(`seeds ${first} to ${first + SEEDS - 1}: ${JSON.stringify(seen)}\n`);
  // A model in which none of this happens proves nothing.
  for (const [what, count] of Object.entries(seen)) expect([what, count > 10]).toEqual([what, true]);
});
