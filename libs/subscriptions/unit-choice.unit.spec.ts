import { describe, expect, it } from '@jest/globals';
import type { Unit } from '#units';
import type { UnitSelector } from './index.js';
import { unitChoice } from './unit-choice.js';
import { compiled, KANIM, PASSPORT, stageOf } from './subscriptions-stage.fixture.js';

const TARAKAN = 'SU00163';
const BALIKPAPAN = 'SU00160';
const KALTIM = 'SU00054';

describe('units of a subscription', () => {
  const stage = stageOf();
  const isDue = (units: UnitSelector, unit: string, more: Parameters<typeof stage.event>[0] = {}): boolean => {
    const given = { source: `urn:simpul:unit:${unit}:simkim`, data: { unitPenerbit: unit }, ...more };
    return compiled({ owner: 'SU00007', units }).due(stage.shared(given)) !== undefined;
  };

  it.each<[string, UnitSelector, string, boolean]>([
    ['all kanim', { function: 'kanim' }, TARAKAN, true],
    ['all lapas', { function: 'lapas' }, TARAKAN, false],
    ['all kanim in Kalimantan Utara', { function: 'kanim', province: '65' }, TARAKAN, true],
    ['all kanim in Kalimantan Utara', { function: 'kanim', province: '65' }, BALIKPAPAN, false],
    ['my kanwil and below', { below: KALTIM }, BALIKPAPAN, true],
    ['my kanwil and below', { below: KALTIM }, KANIM, false],
    ['below the directorate, on the technical line', { below: 'SU00007' }, BALIKPAPAN, true],
    ['a unit itself', { below: BALIKPAPAN }, BALIKPAPAN, true],
    ['a kanim of this kanwil in that province', { below: KALTIM, province: '65' }, BALIKPAPAN, false],
    ['a unit that nobody knows', { below: 'SU99999' }, BALIKPAPAN, false],
  ])('%s: %j, of %s: %s', (_what, units, unit, yes) => {
    expect(isDue(units, unit)).toBe(yes);
  });

  it('below "self" are the owner and what is below it, below "self:kanwil" its kanwil on the day of the event', () => {
    const own = stageOf();
    const [old] = own.units.rows(TARAKAN);
    own.units.put(TARAKAN, [
      { ...old!, validFrom: '2020-01-01', validTo: '2021-09-30' },
      { ...old!, version: 2, parent: 'SU00041', validFrom: '2021-10-01' },
    ]);
    const due = (owner: string, below: string, unit: string, time: string): boolean => {
      const given = { source: `urn:simpul:unit:${unit}:simkim`, data: { unitPenerbit: unit }, time };
      return unitChoice({ below }, owner).concerns(own.shared(given).as('full'), own.units);
    };
    const [before, after] = ['2021-07-15T03:00:00Z', '2021-10-02T03:00:00Z'];
    expect(due(KALTIM, 'self', BALIKPAPAN, before)).toBe(true);
    expect(due(KALTIM, 'self', TARAKAN, after)).toBe(false);
    expect(due(TARAKAN, 'self:kanwil', BALIKPAPAN, before)).toBe(true);
    expect(due(TARAKAN, 'self:kanwil', BALIKPAPAN, after)).toBe(false);
    expect(due(TARAKAN, 'self:kanwil', TARAKAN, after)).toBe(true);
    expect(due(TARAKAN, 'self', BALIKPAPAN, before)).toBe(false);
  });

  it('a unit that covers several provinces serves each of them', () => {
    expect(isDue({ province: '65', function: 'kanwil' }, KANIM, { data: { unitPenerbit: KALTIM } })).toBe(true);
  });

  it('all conditions hold for one unit: not the function of the sender with the province of a field', () => {
    const more = { data: { unitPenerbit: KALTIM } };
    expect(isDue({ function: 'kanim' }, KANIM, more)).toBe(true);
    expect(isDue({ province: '64' }, KANIM, more)).toBe(true);
    expect(isDue({ function: 'kanim', province: '64' }, KANIM, more)).toBe(false);
  });

  it('a unit in a field that the owner reads masked answers no question', () => {
    const type = 'ham.pengaduan.diterima';
    const contract = stage.catalogue.newest(type)!;
    const hidden = contract.unitFields.find((f) =>
      contract.contract.fields.some((x) => x.name === f && x.pii !== 'none'),
    );
    expect(hidden).toBeDefined();
    const source = `urn:simpul:unit:${KANIM}:simkim`;
    const shared = stage.shared({ type, source, data: { [hidden!]: BALIKPAPAN } });
    const due = (owner: string) => compiled({ owner, units: { below: BALIKPAPAN } }).due(shared);
    expect(due(KANIM)?.level).toBe('full');
    expect(compiled({ owner: 'SU00041' }).due(shared)?.level).toBe('masked');
    expect(due('SU00041')).toBeUndefined();
  });

  describe('are what they were on the day of the event', () => {
    const changed = stageOf();
    const [old] = changed.units.rows(TARAKAN);
    // On 1 October it was moved to another kanwil and became a rudenim; known at once.
    const rows: Unit[] = [
      { ...old!, validFrom: '2020-01-01', validTo: '2021-09-30' },
      { ...old!, version: 2, type: 'rudenim', parent: 'SU00041', validFrom: '2021-10-01' },
    ];
    changed.units.put(TARAKAN, rows);
    const due = (units: UnitSelector, time: string): boolean => {
      const shared = changed.shared({
        source: `urn:simpul:unit:${TARAKAN}:simkim`,
        data: { unitPenerbit: TARAKAN },
        time,
      });
      return compiled({ owner: 'SU00007', units }).due(shared) !== undefined;
    };

    it('also when they were moved or renamed later', () => {
      expect(due({ function: 'kanim' }, '2021-07-15T03:00:00Z')).toBe(true);
      expect(due({ function: 'rudenim' }, '2021-07-15T03:00:00Z')).toBe(false);
      expect(due({ below: KALTIM }, '2021-07-15T03:00:00Z')).toBe(true);
      expect(due({ function: 'rudenim' }, '2021-10-02T03:00:00Z')).toBe(true);
      expect(due({ below: KALTIM }, '2021-10-02T03:00:00Z')).toBe(false);
    });

    it('by the midnight of their own zone', () => {
      // Midnight of Makassar.
      expect(due({ function: 'kanim' }, '2021-09-30T15:59:59Z')).toBe(true);
      expect(due({ function: 'rudenim' }, '2021-09-30T16:00:00Z')).toBe(true);
      expect(due({ function: 'rudenim' }, '2021-10-01T00:00:00+08:00')).toBe(true);
    });

    it('whatever form the time has; without one that can be read on the day on which the hub recorded it', () => {
      expect(due({ function: 'kanim' }, '2021-09-30t15:59:59.123456789z')).toBe(true);
      expect(due({ function: 'rudenim' }, '2021-09-30t16:00:00z')).toBe(true);
      // Recorded on 1 August.
      for (const time of ['kemarin', '2021-13-45T99:99:99Z', '+275761-01-01T00:00:00Z'])
        expect([time, due({ function: 'kanim' }, time)]).toEqual([time, true]);
      for (const time of ['0001-01-01T00:00:00+23:59', '9999-12-31T23:59:59-23:59']) due({ function: 'kanim' }, time);
    });

    it('and what they were first or last, where the event is of a day without them', () => {
      changed.units.put(TARAKAN, [{ ...rows[0]!, validFrom: '2021-07-01' }]);
      expect(due({ function: 'kanim' }, '2021-01-01T00:00:00Z')).toBe(true);
      expect(due({ function: 'kanim' }, '2022-01-01T00:00:00Z')).toBe(true);
      changed.units.put(TARAKAN, rows);
    });
  });

  it('are worked out once for all subscriptions that ask the same of an event', () => {
    const other = stageOf();
    let asked = 0;
    const units = new Proxy(other.units, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name, of);
        if (name === 'history') asked++;
        return typeof value === 'function' ? (value as (...a: unknown[]) => unknown).bind(of) : value;
      },
    });
    const shared = Object.getPrototypeOf(other.shared({ type: PASSPORT })).constructor.of(other.event({}), units);
    for (let i = 0; i < 100; i++) compiled({ owner: KANIM, units: { function: 'kanim' } }).due(shared);
    expect(asked).toBe(1);
  });
});
