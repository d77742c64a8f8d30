import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { readUnitSeed } from './seed.js';
import { UnitTree } from './tree.js';

const seed = readUnitSeed(readFileSync(new URL('../../schemas/units.json', import.meta.url), 'utf8'));
const treeOn = (day: string) => {
  const tree = new UnitTree(() => day);
  for (const u of seed.units) tree.put(u.id, [u]);
  return tree;
};

describe('the units of the ministry, July 2021', () => {
  it('are 770 units, whatever year the clock shows', () => {
    for (const day of ['2021-07-15', '2026-01-01']) {
      const tree = treeOn(day);
      expect(tree.size).toBe(770);
      expect(tree.list({})).toHaveLength(770);
    }
    expect(treeOn('2026-01-01').list({}, '2026-01-01')).toHaveLength(769);
    expect(treeOn('2026-01-01').list({}, '2024-10-20')).toHaveLength(770);
  });

  it('have both parent lines: from a border post over its office, the regional office and the directorate general to the ministry', () => {
    const tree = treeOn('2026-01-01');
    const skouw = tree.byCode('TPI-91-SKOUW')!;
    const above = [...tree.above(skouw.id)].map((id) => tree.get(id)!.code).sort();
    expect(above).toEqual(['ES1-DJIM', 'KANIM-91-JAYAPURA', 'KANWIL-91', 'KUMHAM']);
  });

  it('resolve by unit type and province; the regional office of Kaltim also serves Kaltara', () => {
    const tree = treeOn('2021-07-15');
    expect(tree.resolve('kanwil', '65').map((u) => u.code)).toEqual(['KANWIL-64']);
    expect(
      tree
        .resolve('kanim', '65')
        .map((u) => u.code)
        .sort(),
    ).toEqual(['KANIM-65-NUNUKAN', 'KANIM-65-TARAKAN']);
    expect(tree.list({ text: 'lapas WAHAI' })).toHaveLength(1);
    expect(tree.list({ type: 'tpi' })).toHaveLength(28);
  });

  it('are known since the day of the seed, not founded on it', () => {
    const tree = treeOn('2021-07-15');
    expect(tree.get('SU00001')).toMatchObject({
      version: 1,
      validFrom: '2021-07-15',
      basis: 'known',
      evidence: 'general',
    });
    expect(tree.get('SU00001', '2021-07-14')).toBeUndefined();
  });
});
