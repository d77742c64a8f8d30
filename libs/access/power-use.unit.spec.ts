import { beforeEach, describe, expect, it } from '@jest/globals';
import { UnitTree } from '#units';
import type { Caller, Role } from './access.js';
import { PowerUse } from './power-use.js';

const types = () => [{ restricted: true, consumers: [{ code: 'unit:SU00003', level: 'full', why: 'tugas' } as const] }];
const caller = (keyId: string, owner: string, ...roles: Role[]): Caller => ({
  keyId,
  owner,
  system: 'uji',
  roles: new Set(roles),
});
const HOUR_MS = 3_600_000;
let now: number;
let isOnRecord: boolean;
let records: string[];
let use: PowerUse;
beforeEach(() => {
  now = 0;
  isOnRecord = true;
  records = [];
  use = new PowerUse({
    rules: { units: new UnitTree(() => '2021-07-15'), types },
    now: () => now,
    record: ({ keyId }, door) => {
      records.push(`${keyId} ${door}`);
      return isOnRecord ? Promise.resolve() : Promise.reject(new Error('the log does not answer'));
    },
  });
});

describe('the use of a powerful key', () => {
  it('is one record for each key, door and hour; an ordinary key leaves none', () => {
    const powerful = [
      caller('admin', 'hub', 'admin'),
      caller('steward', 'SU00013', 'steward'),
      caller('itjen', 'SU00003', 'reader'),
    ];
    const ordinary = [caller('a', 'SU00001', 'admin'), caller('b', 'SU00013', 'operator', 'data-team', 'reader')];
    for (let i = 0; i < 3; i++) {
      for (const one of powerful) use.note(one, () => 'GET /v1/keys');
      for (const one of ordinary)
        use.note(one, () => {
          throw new Error('not asked for the door of an ordinary key');
        });
    }
    expect(records).toEqual(['admin GET /v1/keys', 'steward GET /v1/keys', 'itjen GET /v1/keys']);
    use.note(powerful[1]!, () => 'GET /v1/streams/:stream/events itjen.wbs');
    now = HOUR_MS;
    use.note(powerful[1]!, () => 'GET /v1/keys');
    expect(records.slice(3)).toEqual(['steward GET /v1/streams/:stream/events itjen.wbs', 'steward GET /v1/keys']);
  });

  it('is told by the next use when its record could not be written, and is bounded for a key that tries every name', async () => {
    const steward = caller('steward', 'SU00013', 'steward');
    isOnRecord = false;
    use.note(steward, () => 'x');
    await new Promise(setImmediate);
    isOnRecord = true;
    use.note(steward, () => 'x');
    expect(records).toEqual(['steward x', 'steward x']);
    for (let i = 0; i < 1_000; i++) use.note(steward, () => `door ${i}`);
    expect(records.length).toBeLessThan(210);
    expect(records.at(-1)).toBe('steward …');
  });
});
