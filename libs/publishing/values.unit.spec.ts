import { describe, expect, it } from '@jest/globals';
import { compileContract, type Data } from '#avro';
import type { EventType } from '#registry';
import type { Unit } from '#units';
import { nestedFields, schemaWith, type Nested } from '../../test/kit/contracts/nested.js';
import { unknownUnits, valuesOutside } from './values.js';

const units = { get: (id: string): Unit | undefined => (id === 'SU00123' ? ({ id } as Unit) : undefined) };

function read({ field, value }: Nested, leaf: unknown): { type: EventType; data: Data } {
  const contract = compileContract(schemaWith(field));
  const data = { x: value(leaf) };
  const encoded = contract.encode(data, 1);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  return { type: { type: 'uji', contract } as unknown as EventType, data };
}
/** The pointer of the last place; a list holds the value at every place. */
const last = (problems: readonly { readonly pointer: string }[]) => problems.at(-1)?.pointer;

describe('in every combination of lists, maps, records, unions and optional types', () => {
  it.each(nestedFields('string', { role: 'unitId', pii: 'none' }).map((n) => [n.name, n] as const))(
    'a unit must exist: %s',
    (_name, nested) => {
      const of = (leaf: string) => {
        const { type, data } = read(nested, leaf);
        return last(unknownUnits(type, data, units));
      };
      expect([of('SU00123'), of('SU99999')]).toEqual([undefined, nested.pointer]);
    },
  );

  it.each(nestedFields('int', { min: 0, max: 9, pii: 'none' }).map((n) => [n.name, n] as const))(
    'a number must stay in its bounds: %s',
    (_name, nested) => {
      const of = (leaf: number) => {
        const { type, data } = read(nested, leaf);
        return last(valuesOutside(type, data));
      };
      expect([of(0), of(9), of(10)]).toEqual([undefined, undefined, nested.pointer]);
    },
  );
});

it('of a union, a text without the form of a unit id belongs to the other branch, and a bound counts for its own kind', () => {
  const party = { type: 'string', role: 'partyCode' };
  const contract = compileContract(
    schemaWith({
      name: 'x',
      type: [
        'null',
        { type: 'record', name: 'U', namespace: 'uji', fields: [{ name: 'unit', type: 'string', role: 'unitId' }] },
        { type: 'record', name: 'P', namespace: 'uji', fields: [{ name: 'unit', ...party }] },
      ],
    }),
  );
  const type = { type: 'uji', contract } as unknown as EventType;
  const told = (unit: string) => unknownUnits(type, { x: { unit } }, units).map((p) => p.pointer);
  expect([told('EXT-POLRI'), told('SU00123'), told('SU99999')]).toEqual([[], [], ['/data/x/unit']]);
  const bounded = compileContract(schemaWith({ name: 'x', type: ['null', 'int', 'string'], min: 0 }));
  const outside = (x: unknown) =>
    valuesOutside({ type: 'uji', contract: bounded } as unknown as EventType, { x }).length;
  expect([outside(-1), outside('-1'), outside(1)]).toEqual([1, 0, 0]);
});

it('tells at most 50 places', () => {
  const [list] = nestedFields('string', { role: 'unitId' }, 1).filter((n) => n.name === 'list');
  const { type } = read(list!, 'SU99999');
  expect(unknownUnits(type, { x: Array.from({ length: 5_000 }, () => 'SU99999') }, units)).toHaveLength(50);
});
