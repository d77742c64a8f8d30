import { describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import type { Units } from '#units';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { entryLevels } from './level-data.js';

const catalogue = catalogueOfFiles(3);
const units = { above: () => new Set<string>(), get: () => undefined } as unknown as Units;
const kpk: Caller = { keyId: 'kpk', owner: 'EXT-KPK', system: 'uji', roles: new Set(['reader']) };
const bnn: Caller = { ...kpk, keyId: 'bnn', owner: 'EXT-BNN' };
const source = 'urn:simpul:unit:SU00018:uji';
const [view] = viewsOf(catalogue, 'imigrasi.cegah-aktif');
const { stream, partition, record } = recordOf(catalogue, {
  type: 'imigrasi.cegah.ditetapkan',
  source,
  data: { nomorCekal: 'C-1', jenis: 'cegah', instansiPengusul: 'EXT-KPK' },
});

describe('an entry of an earlier version, which kept only the unit fields of its event,', () => {
  const entry = {
    stored: { v: { nomorCekal: 'C-1' }, e: { 0: [source, {}] as const } },
    position: `${stream}/${partition}/7`,
    appendTimeMs: 0,
  };
  const holding = (offset: bigint) => ({
    read: () => Promise.resolve({ kind: 'records', records: [{ ...record, offset, appendTimeMs: 0 }] }),
  });
  const levelOf = async (caller: Caller, log: object): Promise<string> =>
    (await entryLevels({ catalogue, units, log: log as never }, view!, caller, entry)).whole;

  it('is judged by its event in the log, so that a consumer that a field names sees it', async () => {
    expect([await levelOf(kpk, holding(7n)), await levelOf(bnn, holding(7n))]).toEqual(['full', 'none']);
  });

  it('is judged by its unit fields when the log has no event at its position any more', async () => {
    expect(await levelOf(kpk, holding(8n))).toBe('none');
    expect(await levelOf(kpk, { read: () => Promise.resolve({ kind: 'out_of_range', low: 9n, high: 9n }) })).toBe(
      'none',
    );
  });
});
