import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Limits } from '#limits';
import { HubStage } from '../kit/doors/hub-stage.js';
import { until } from '../kit/projection/stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
/** Answers that are compared: a few of each in every test, thousands in the campaign. */
const ROUNDS = process.env['SIMPUL_TEST_CAMPAIGN'] === '1' ? 4_000 : 300;

/** The share of pairs in which `a` is the slower one: 0.5 for two that cannot be told apart. */
function slowerShare(a: readonly number[], b: readonly number[]): number {
  const all = [...a.map((ms) => ({ ms, of: 1 })), ...b.map((ms) => ({ ms, of: 0 }))].sort((x, y) => x.ms - y.ms);
  let ranks = 0;
  for (const [i, { of }] of all.entries()) if (of === 1) ranks += i + 1;
  return (ranks - (a.length * (a.length + 1)) / 2) / (a.length * b.length);
}

describe('a receipt of a source that the key has nothing to do with', () => {
  let hub: HubStage;
  beforeAll(async () => {
    const values = { misses_per_key: 1_000_000, misses_per_unit: 1_000_000 };
    hub = await new HubStage().open({ budgets: new Limits({ values }) });
  });
  afterAll(() => hub.close());

  it('is told from a missing one by its time hardly better than by guessing', async () => {
    const sent = Array.from({ length: 20 }, () => hub.event(TYPE));
    for (const event of sent) expect((await hub.post(event)).status).toBe(201);
    const { source, id } = sent[0]!;
    const path = (of: string): string => `/v1/receipts?source=${encodeURIComponent(source)}&id=${of}`;
    await until(async () => (await hub.ask(path(id))).status === 200);
    const times: Record<'forbidden' | 'missing', number[]> = { forbidden: [], missing: [] };
    for (let n = 0; n < ROUNDS; n++) {
      // In turn, and each kind first as often as the other, so that what the machine does meanwhile meets both.
      for (const kind of n % 2 === 0 ? (['forbidden', 'missing'] as const) : (['missing', 'forbidden'] as const)) {
        const of = kind === 'forbidden' ? sent[n % sent.length]!.id : `X-${n % sent.length}`;
        const began = performance.now();
        const { status } = await hub.ask(path(of), { key: 'stranger' });
        times[kind].push(performance.now() - began);
        expect(status).toBe(404);
      }
    }
    const share = slowerShare(times.forbidden, times.missing);
    // Before both took the same steps: 0.71. The bound leaves room for a busy machine; what is left needs more questions than a key may ask (R12.8).
    expect(Math.abs(share - 0.5)).toBeLessThan(0.15);
  });
});
