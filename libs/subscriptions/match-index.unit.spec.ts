import { describe, expect, it } from '@jest/globals';
import { TEST_EVENTS } from '#log';
import { MatchIndex, SharedEvent, partitionOfSubscription, streamsOf, subscriptionId, type Wishes } from './index.js';
import { compiled, KANIM, KANWIL, NIK, PASSPORT, stageOf } from './subscriptions-stage.fixture.js';

const stage = stageOf();
const WBS = { type: 'itjen.wbs.laporan-diterima', source: 'urn:simpul:unit:SU00003:wbs' };

describe('what a subscription is due', () => {
  it('what its owner may read, at the level of the owner, and nothing else', () => {
    const shared = stage.shared({});
    const full = compiled().due(shared);
    const masked = compiled({ owner: KANWIL }).due(shared);
    expect([full?.level, full?.data['nik']]).toEqual(['full', NIK]);
    expect([masked?.level, masked?.data['nik'], masked?.stored]).toEqual(['masked', '••••0001', undefined]);
    expect(compiled({ owner: 'SU00681' }).due(shared)).toBeUndefined();
  });

  it('no restricted event of somebody else, whatever its types and units say', () => {
    const shared = stage.shared({ ...WBS, data: { unitTerlapor: KANIM } });
    expect(compiled({ owner: KANIM }).due(shared)).toBeUndefined();
    expect(compiled({ owner: 'SU00001' }).due(shared)).toBeUndefined();
    expect(compiled({ owner: 'SU00003' }).due(shared)?.level).toBe('full');
  });

  it('no copies', () => {
    expect(compiled().due(stage.shared({ original: 3n }))).toBeUndefined();
  });

  it('test events to subscriptions that ask for them, and nothing else to those', () => {
    const test = stage.shared({ stream: TEST_EVENTS.name, extensions: { simpultest: 'true' } });
    const real = stage.shared({});
    expect(compiled().due(test)).toBeUndefined();
    expect(compiled({ test: true }).due(test)).toBeDefined();
    expect(compiled({ test: true }).due(real)).toBeUndefined();
    expect(compiled({ test: true, owner: 'SU00681' }).due(test)).toBeUndefined();
  });
});

describe('the index', () => {
  it('knows by type who wants an event, also after changes', () => {
    const index = new MatchIndex(stage.units);
    const ids = () =>
      index
        .due(stage.event({}))
        ?.map((d) => d.subscription)
        .sort();
    index.add(compiled({ id: 'a' }));
    index.add(compiled({ id: 'b', types: ['sdm.#'] }));
    expect([ids(), index.wants(PASSPORT), index.wants('keu.pnbp.pembayaran-diterima')]).toEqual([['a'], true, true]);
    index.add(compiled({ id: 'b', types: ['imigrasi.paspor.*'] }));
    expect(ids()).toEqual(['a', 'b']);
    index.add(compiled({ id: 'a', types: ['sdm.#'] }));
    expect([ids(), index.size]).toEqual([['b'], 2]);
    index.remove('b');
    index.remove('b');
    expect([ids(), index.size, index.wants(PASSPORT)]).toEqual([[], 1, false]);
  });

  it('shares what owners who see the same see', () => {
    const index = new MatchIndex(stage.units);
    for (let i = 0; i < 10; i++) index.add(compiled({ id: `k${i}` }));
    for (let i = 0; i < 10; i++) index.add(compiled({ id: `w${i}`, owner: KANWIL }));
    const due = index.due(stage.event({}))!;
    expect([due.length, new Set(due.map((d) => d.event)).size]).toEqual([20, 2]);
  });

  it('decodes nothing of an event that nobody wants', () => {
    const index = new MatchIndex(stage.units);
    index.add(compiled({ types: ['sdm.#'] }));
    const event = stage.event({});
    event.levels = () => {
      throw new Error('decoded');
    };
    expect(index.due(event)).toEqual([]);
  });
});

describe('the streams of a subscription', () => {
  const wishes = (more: Partial<Wishes>): Wishes => ({ owner: KANIM, system: 'x', types: ['#'], test: false, ...more });

  it('are those with a type that it wants; of tests the test events alone', () => {
    const { catalogue, units } = stage;
    expect(streamsOf(wishes({ types: ['imigrasi.paspor.*', 'sdm.#'] }), catalogue, units)).toEqual([
      'imigrasi.paspor',
      'sdm.pegawai',
      'sdm.presensi',
    ]);
    expect(streamsOf(wishes({ test: true }), catalogue, units)).toEqual([TEST_EVENTS.name]);
  });

  it('are never restricted ones of somebody else, which no cursor and no lag may name', () => {
    const of = (owner: string) => streamsOf(wishes({ owner }), stage.catalogue, stage.units);
    expect(of('SU00003')).toContain('itjen.wbs');
    expect(of(KANIM)).not.toContain('itjen.wbs');
    expect(of('SU00001')).not.toContain('itjen.wbs');
  });

  it('are also those that are registered later', () => {
    const later = stageOf();
    const streams = () => streamsOf(wishes({ types: ['pdp.#'] }), later.catalogue, later.units);
    later.catalogue.dropStream('pdp.insiden');
    expect(streams()).toEqual([]);
    later.catalogue.putStream('pdp.insiden', 4);
    expect(streams()).toEqual(['pdp.insiden']);
  });
});

describe('the id of a subscription', () => {
  it('is one for each name of an owner, for ever', () => {
    const id = subscriptionId('SU00123', 'payroll');
    expect(id).toMatch(/^sub_[a-z2-7]{20}$/);
    expect(subscriptionId('SU00123', 'payroll')).toBe(id);
    const ids = ['SU00123', 'SU00124', 'EXT-POLRI', 'hub'].flatMap((o) =>
      ['payroll', 'gaji', 'a'].map((n) => subscriptionId(o, n)),
    );
    expect(new Set(ids).size).toBe(12);
    expect([id, partitionOfSubscription(id)]).toEqual(['sub_q5dqe24qnghdlg67lwi6', 0]);
  });

  it('spreads over the partitions of the couriers', () => {
    const counts = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 1_600; i++) counts[partitionOfSubscription(subscriptionId('SU00123', `n-${i}`))]!++;
    expect(Math.min(...counts)).toBeGreaterThan(50);
  });
});

describe('the index and the subscriptions one by one', () => {
  it('say the same of every type, for every owner', () => {
    const owners = [...stage.units.list({}).map(({ id }) => id), 'EXT-POLRI', 'EXT-KEMENLU', 'EXT-KPK', 'hub'];
    const all = owners.map((owner) => compiled({ id: owner, owner }));
    const index = new MatchIndex(stage.units);
    for (const one of all) index.add(one);
    let due = 0;
    for (const [i, { type }] of stage.catalogue.types().entries()) {
      const source = i % 5 === 4 ? 'urn:simpul:party:EXT-KPK:x' : `urn:simpul:unit:${owners[(i * 37) % 770]}:x`;
      const event = stage.event({ type, source, seed: i, data: {} });
      const shared = SharedEvent.of(event, stage.units)!;
      const expected = all.filter((one) => one.due(shared) !== undefined).map(({ id }) => id);
      expect([
        type,
        index
          .due(event)!
          .map((d) => d.subscription)
          .sort(),
      ]).toEqual([type, expected.sort()]);
      due += expected.length;
    }
    expect(due).toBeGreaterThan(500);
  });
});
