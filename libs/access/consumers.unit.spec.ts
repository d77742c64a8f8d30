import { describe, expect, it } from '@jest/globals';
import { CONSUMER_LEVELS } from '#avro';
import { readProperties } from '#registry';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const schemas = join(import.meta.dirname, '../../schemas').replace('/dist/schemas', '/schemas');
const types = globSync('**/*.avsc', { cwd: schemas })
  .toSorted()
  .map((file) => readProperties(readFileSync(join(schemas, file), 'utf8'))!);

describe('the consumers of the contracts that come with the product (R12.3)', () => {
  it('say a level and a reason, every one of them', () => {
    expect(types.length).toBeGreaterThan(40);
    for (const { type, consumers } of types)
      for (const c of consumers) {
        expect([type, c.code, CONSUMER_LEVELS.includes(c.level!)]).toEqual([type, c.code, true]);
        expect(c.why).not.toBe('');
      }
  });

  it('read masked or totals where the reason has a condition that the hub cannot check, or needs numbers only', () => {
    const CONDITION =
      /\b(only (if|for)|counts?( only)?|if it|where the law|when the document|workload|statistics|overdue)\b/;
    for (const { type, consumers, highestPii } of types) {
      if (highestPii === 'none' || highestPii === 'umum') continue;
      for (const { code, level, why } of consumers)
        if (CONDITION.test(why)) expect([type, code, level === 'full']).toEqual([type, code, false]);
    }
  });

  it('of a whole kind of units or of all units above one read in full only with a reason that names the person or a match', () => {
    const REASON = /(match|number|of the person|decides)/;
    for (const { type, consumers, highestPii } of types) {
      if (highestPii === 'none' || highestPii === 'umum') continue;
      for (const { code, level, why } of consumers)
        if (level === 'full' && /^(above|type|any)/.test(code))
          expect([type, code, REASON.test(why)]).toEqual([type, code, true]);
    }
  });
});
