import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BadInputSubject } from '../../../test/kit/bad-input.js';
import { SUBSCRIPTION, subscriptionCases } from '../../../test/kit/bad-input/subscriptions.js';
import { SubscriptionEdge } from '../../../test/kit/doors/subscription-edge.js';

let edge: SubscriptionEdge;
let before: string;
const state = (): string => JSON.stringify([[...edge.table.rows], edge.table.orders, edge.audit]);

beforeAll(async () => {
  edge = await new SubscriptionEdge().open();
  edge.table.ownAll(edge.url);
  const { status } = await edge.ask('POST', '', 'own', SUBSCRIPTION);
  expect(status).toBe(201);
  before = state();
});
afterAll(() => edge.close());

it('the cases have unique names', () => {
  const names = subscriptionCases.map((c) => `${c.row}: ${c.name}`);
  expect(names.filter((n, i) => names.indexOf(n) !== i)).toEqual([]);
});

for (const [row, cases] of Map.groupBy(subscriptionCases, (c) => c.row)) {
  describe(`bad input: ${row}`, () => {
    it.each(cases.map((c) => [c.name, c] as const))('%s', async (_name, c) => {
      const subject = { url: edge.url, keys: { kanim: 'own', lapas: 'own' } } as unknown as BadInputSubject;
      const r = await c.send(subject);
      const doc = JSON.parse(r.text || '{}') as { code?: string; errors?: { pointer: string }[] };
      const pointers = (doc.errors ?? []).map(({ pointer }) => pointer);
      const fine =
        [c.status].flat().includes(r.status) &&
        (c.code === undefined || c.code === doc.code) &&
        (c.pointer === undefined || pointers.some((at) => at === c.pointer || at.startsWith(`${c.pointer}/`)));
      expect(fine ? 'as promised' : `${r.status} ${r.text.slice(0, 600)}`).toBe('as promised');
      expect(r.contentType).toContain('application/problem+json');
      expect(r.text).not.toMatch(/\n\s+at |node_modules|\.ts:|\.js:/);
      expect(state()).toBe(before);
    });
  });
}
