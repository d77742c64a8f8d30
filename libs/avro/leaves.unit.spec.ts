import { expect, it } from '@jest/globals';
import { nestedFields, schemaWith } from '../../test/kit/contracts/nested.js';
import { compileContract, gravestOf, leavesOf } from './index.js';

it.each(nestedFields('string', { pii: 'spesifik' }).map((n) => [n.name, n] as const))(
  'the class of a field is that of the most protected field in it: %s',
  (_name, { field }) => {
    const [x] = compileContract(schemaWith({ pii: 'none', ...field })).fields;
    expect(gravestOf(x!)).toBe('spesifik');
  },
);

it('a pointer escapes names of a map, and null and absent values are no values', () => {
  const contract = compileContract(schemaWith({ name: 'x', type: { type: 'map', values: ['null', 'string'] } }));
  const told: string[] = [];
  const visit = leavesOf(contract.fields, () => true as const);
  visit({ x: { 'a/b~c': 'y', d: null } }, (_rule, _value, pointer) => told.push(pointer()));
  visit({}, () => told.push('nothing'));
  expect(told).toEqual(['/data/x/a~1b~0c']);
});
