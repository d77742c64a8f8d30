import { describe, expect, it } from '@jest/globals';
import { mayPublish, mayState } from '#access';
import { compileContract } from '#avro';
import { digestOf, fromHeaders, partitionOf, pseudonymOf } from '#event';
import { showProblem } from '#faults';
import type { Catalogue, EventType } from '#registry';
import type { Unit, Units } from '#units';
import { checkItem, checkItemInSteps, type CheckRules } from './check.js';
import type { Offered, ReadyItem } from './item.js';
import { PUBLISH_LIMITS } from './limits.js';
import { planAppends } from './plan.js';
import { identityOf, RecentAppends } from './recent.js';
import { FOLDED_CHARACTERS, FOLDED_JSON } from './values.js';
import { countedPointer } from './counted-pointer.js';
import { eventSubject } from './subject.js';

const schema = (fields: readonly object[]): string =>
  JSON.stringify({ type: 'record', name: 'Lahir', namespace: 'uji.kasus', fields });
const V1 = [
  { name: 'nomor', type: 'string' },
  { name: 'isi', type: ['null', 'string'], default: null },
];
const V2 = [...V1, { name: 'tambahan', type: 'int', default: 7 }];

function typeOf(version: number, fields: readonly object[], more: Partial<EventType> = {}): EventType {
  return {
    type: 'uji.kasus.lahir',
    version,
    schemaId: 100 + version,
    stream: 'uji.kasus',
    contract: compileContract(schema(fields)),
    titleId: 'Kasus lahir',
    titleEn: 'Case born',
    owner: 'SU00001',
    publishers: ['type:kanim'],
    consumers: [],
    subject: ['nomor'],
    subjectForm: 'clear',
    ordering: 'subject',
    unitFields: [],
    restricted: false,
    availableFrom: '2021-07',
    registeredMs: 0,
    ...more,
  };
}
const types = [typeOf(1, V1), typeOf(2, V2)];
const catalogue = {
  newest: (t: string) => (t === 'uji.kasus.lahir' ? types[1] : undefined),
  version: (t: string, v: number) => types.find((x) => x.type === t && x.version === v),
  bySchemaId: (id: number) => types.find((x) => x.schemaId === id),
  stream: () => ({ name: 'uji.kasus', partitions: 8 }),
} as unknown as Catalogue;
const kanim = { id: 'SU00123', version: 3, code: 'KANIM-31-BARAT', type: 'kanim' } as Unit;
const units = {
  get: (id: string) => (id === kanim.id ? kanim : undefined),
  history: () => [],
  above: () => new Set<string>(),
} as unknown as Units;
const pseudonymKey = Buffer.alloc(32, 1);
const rules: CheckRules = { catalogue, units, mayPublish, mayState, pseudonymKey, limits: PUBLISH_LIMITS };
const context = {
  caller: { keyId: 'k', owner: 'SU00123', system: 'simkim', roles: new Set(['publisher' as const]) },
  recordedtime: '2021-07-15T02:30:00.000Z',
  traceparent: undefined,
};
const given = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  specversion: '1.0',
  id: 'a',
  source: 'urn:simpul:unit:SU00123:simkim',
  type: 'uji.kasus.lahir',
  ...more,
});
const offer = (data: unknown, more: Record<string, unknown> = {}): Offered => ({
  kind: 'event',
  given: given(more),
  content: { kind: 'json', data },
  form: 'body',
  bytes: 100,
});
const ready = (data: unknown, more: Record<string, unknown> = {}): ReadyItem => {
  const c = checkItem(offer(data, more), context, rules);
  if (!c.ok) throw c.fault;
  return c.item;
};

describe('a checked event', () => {
  it('is checked in steps with the same outcome: each looks at all values, which may be 80,000', () => {
    for (const data of [{ nomor: 'K-1' }, { nomor: 7 }]) {
      const steps = checkItemInSteps(offer(data), context, rules);
      let taken = 0;
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) taken++;
      expect(taken).toBe(data.nomor === 7 ? 1 : 4);
      expect(step.value).toEqual(checkItem(offer(data), context, rules));
    }
  });

  it('carries the attributes that the hub sets, and goes to the partition of its subject', () => {
    const item = ready({ nomor: 'K-1' }, { korelasi: 'x' });
    const e = fromHeaders(item.record.headers)!;
    expect(e).toMatchObject({
      subject: 'K-1',
      time: context.recordedtime,
      dataschema: 'urn:simpul:schema:uji.kasus.lahir:2',
      unit: 'SU00123@3',
      extensions: { korelasi: 'x', unitasal: 'SU00123', unitkode: 'KANIM-31-BARAT', kelasdata: 'none' },
    });
    expect(item.partition).toBe(partitionOf(Buffer.from('K-1'), 8));
    expect(e.digest).toEqual(digestOf(item.key, item.value));
  });

  it('may carry an attribute that the hub sets, with the value that the hub sets', () => {
    const same = { subject: 'K-1', unitasal: 'SU00123', unitkode: 'KANIM-31-BARAT', kelasdata: 'none' };
    expect(checkItem(offer({ nomor: 'K-1' }, same), context, rules).ok).toBe(true);
    const other = checkItem(offer({ nomor: 'K-1' }, { ...same, unitkode: 'LAIN' }), context, rules);
    expect(other.ok ? '' : showProblem(other.fault.problems[0]!, 'en')).toMatchObject({
      pointer: '/unitkode',
      reason: 'is set by the hub',
    });
  });

  it('never says in whose name a steward has accepted it: the hub alone says that', () => {
    const own = { atasnama: 'urn:simpul:unit:SU00123:simkim' };
    const c = checkItem(offer({ nomor: 'K-1' }, own), context, rules);
    expect(c.ok ? [] : [c.fault.code, c.fault.problems[0]!.pointer]).toEqual(['invalid_attribute', '/atasnama']);
  });

  it('is encoded with the schema version that its dataschema names', () => {
    const old = ready({ nomor: 'K-1' }, { dataschema: 'urn:simpul:schema:uji.kasus.lahir:1' });
    expect(old.type.version).toBe(1);
    expect(old.value.readUInt32BE(1)).toBe(101);
  });

  it('is judged by the rights of the newest contract, also when it names an older version', () => {
    const field = { name: 'unit', type: 'string' };
    const [old, now] = [
      typeOf(1, [...V1, field]),
      typeOf(2, [...V2, field], { actor: { field: 'unit', why: 'the unit states its own case' } }),
    ];
    const both = { ...catalogue, newest: () => now, version: (_t: string, v: number) => (v === 1 ? old : now) };
    for (const [unit, version, code] of [
      ['SU00123', 1, 'fine'],
      ['SU00123', 2, 'fine'],
      ['SU00009', 1, 'unit_not_yours'],
      ['SU00009', 2, 'unit_not_yours'],
      [5, 1, 'schema_mismatch'],
    ] as const) {
      const offered = offer({ nomor: 'K-1', unit }, { dataschema: `urn:simpul:schema:uji.kasus.lahir:${version}` });
      const c = checkItem(offered, context, { ...rules, catalogue: both });
      expect([version, c.ok ? 'fine' : c.fault.code]).toEqual([version, code]);
    }
  });

  it('a date of a view that takes the latest may lie ahead by its tolerance, and no further', () => {
    const dated = typeOf(1, [
      ...V1,
      { name: 'tanggal', type: { type: 'int', logicalType: 'date' } },
      { name: 'waktu', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ]);
    const one = { ...catalogue, newest: () => dated, version: () => dated };
    const aheadMs = 60_000;
    const bounds = new Map([
      [
        dated.type,
        [
          { field: 'tanggal', kind: 'date', aheadMs: 86_400_000 },
          { field: 'waktu', kind: 'timestamp', aheadMs },
        ] as const,
      ],
    ]);
    const answer = (tanggal: string, waktu: string) => {
      const c = checkItem(offer({ nomor: 'K-1', tanggal, waktu }), context, { ...rules, catalogue: one, bounds });
      return c.ok ? [] : [c.fault.code, ...c.fault.problems.map((p) => showProblem(p, 'en'))];
    };
    expect(answer('2021-07-16', '2021-07-15T09:31:00.000+07:00')).toEqual([]);
    expect(answer('2021-07-17', '2021-07-15T02:31:00.001Z')).toEqual([
      'too_far_ahead',
      expect.objectContaining({ pointer: '/data/tanggal', expected: 'not after 2021-07-16' }),
      expect.objectContaining({ pointer: '/data/waktu', expected: 'not after 2021-07-15T02:31:00.000Z' }),
    ]);
    expect(answer('9999-12-31', '0001-01-01t00:00:00z')[0]).toBe('too_far_ahead');
  });

  it('answers every wrong attribute at once; the code is missing_attribute when one is missing', () => {
    const c = checkItem(offer({ nomor: 'K' }, { id: undefined, time: 'x', Aneh: 1 }), context, rules);
    expect(c.ok ? '' : [c.fault.code, c.fault.problems.map((p) => p.pointer)]).toEqual([
      'missing_attribute',
      ['/id', '/time', '/Aneh'],
    ]);
  });

  it('is checked in order: attributes, type, version, source, rights, data, subject', () => {
    const wrong: [Record<string, unknown>, string][] = [
      [{ subject: 'x' }, 'subject_mismatch'],
      [{ data: { nomor: 5 }, subject: 'x' }, 'schema_mismatch'],
      [{ data: { nomor: 5 }, source: 'urn:simpul:unit:SU00009:simkim' }, 'source_not_yours'],
      [{ dataschema: 'x', source: 'urn:simpul:unit:SU00009:simkim' }, 'unknown_schema'],
      [{ type: 'uji.kasus.lain', dataschema: 'x' }, 'unknown_type'],
      [{ specversion: '2', type: 'uji.kasus.lain' }, 'invalid_attribute'],
    ];
    for (const [{ data, ...more }, code] of wrong) {
      const c = checkItem(offer(data ?? { nomor: 'K-1' }, more), context, rules);
      expect(c.ok ? 'fine' : c.fault.code).toBe(code);
    }
  });
});

describe('subjects', () => {
  const two = { subject: ['a', 'b'], subjectForm: 'clear', stream: 'uji.kasus' } as const;
  it('join their fields, and no two combinations of values give one subject', () => {
    expect(eventSubject(two, { a: 'SU1', b: '2021-07-15' }, rules)).toEqual({ ok: true, subject: 'SU1:2021-07-15' });
    expect(eventSubject(two, { a: 'x:y', b: 'z' }, rules)).toMatchObject({ ok: false, code: 'forbidden_character' });
    expect(eventSubject(two, { a: 'x' }, rules)).toMatchObject({ ok: false, problem: { pointer: '/data/b' } });
  });
  it('of pseudonym types depend on the deployment key', () => {
    const type = { subject: ['nik'], subjectForm: 'pseudonym', stream: 'uji.kasus' } as const;
    const of = (key: number) =>
      eventSubject(type, { nik: '9901010101010001' }, { ...rules, pseudonymKey: Buffer.alloc(32, key) });
    const [a, b] = [of(1), of(2)];
    expect(a.ok && /^[a-z2-7]{26}$/.test(a.subject)).toBe(true);
    expect(a).not.toEqual(b);
    expect(of(1)).toEqual(a);
  });

  it('of pseudonym types are of one stream: the same value in another stream is another pseudonym, and a stream of an earlier version keeps the ones that it has', () => {
    const stream = (name: string) => ({ name, ...(name === 'lama.satu' ? {} : { ownPseudonyms: true }) });
    const of = (name: string): unknown => {
      const type = { subject: ['nik'], subjectForm: 'pseudonym', stream: name } as const;
      const made = eventSubject(type, { nik: '9901010101010001' }, { ...rules, catalogue: { stream } as never });
      return made.ok && made.subject;
    };
    expect(new Set(['baru.satu', 'baru.dua', 'lama.satu'].map(of)).size).toBe(3);
    expect([of('baru.satu'), of('lama.satu')]).toEqual([
      of('baru.satu'),
      pseudonymOf('9901010101010001', pseudonymKey),
    ]);
  });
});

it('the subject follows the newest contract, so an older version without the unit never gives the subject of another unit', () => {
  const fields = [...V1, { name: 'unit', type: 'string' }];
  const [old, now] = [typeOf(1, fields), typeOf(2, fields, { subject: ['unit', 'nomor'] })];
  const both = { ...catalogue, newest: () => now, version: (_t: string, v: number) => (v === 1 ? old : now) };
  const subject = (nomor: string, version: number): string => {
    const more = { dataschema: `urn:simpul:schema:uji.kasus.lahir:${version}` };
    const c = checkItem(offer({ nomor, unit: 'SU00123' }, more), context, { ...rules, catalogue: both });
    return c.ok ? c.item.subject : c.fault.code;
  };
  for (const version of [1, 2]) {
    expect(subject('K-1', version)).toBe('SU00123:K-1');
    expect(subject('SU00009:K-1', version)).toBe('forbidden_character');
  }
});

describe('plans of appends', () => {
  it('keep the order of each partition and stay within the limits of one append', () => {
    const big = 'x'.repeat(2_000);
    const items = Array.from({ length: 1_500 }, (_, i) => ready({ nomor: `K-${i % 3}`, isi: big }));
    const plans = planAppends(items);
    expect(plans.flatMap((p) => p.places)).toHaveLength(1_500);
    for (const p of plans) {
      expect(p.places.length).toBeLessThanOrEqual(500);
      expect(p.places.reduce((n, at) => n + items[at]!.value.length, 0)).toBeLessThanOrEqual(900_000);
    }
    for (const part of Map.groupBy(plans, (p) => p.partition).values()) {
      const order = part.flatMap((p) => p.places);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
  });
});

describe('recent appends', () => {
  it('are remembered until the index has passed them; failed ones are dropped at once', async () => {
    let settled = 0n;
    let now = 0;
    const recent = new RecentAppends(
      () => settled,
      () => now,
      1_000,
    );
    const add = (id: string, outcome: Parameters<RecentAppends['add']>[1]) =>
      recent.add([ready({ nomor: 'K' }, { id })], outcome)[0]!.done;
    const get = (id: string) => recent.get(identityOf(source, id));
    const source = 'urn:simpul:unit:SU00123:simkim';
    await add('a', Promise.resolve({ kind: 'accepted', base: 5n, appendTimeMs: 0 }));
    await add('b', Promise.resolve({ kind: 'uncertain' }));
    expect([get('a')?.outcome, get('b'), recent.pending]).toEqual([
      { kind: 'accepted', base: 5n, appendTimeMs: 0 },
      undefined,
      0,
    ]);
    now = 10_000;
    await add('c', Promise.resolve({ kind: 'accepted', base: 6n, appendTimeMs: 0 }));
    expect(get('a')).toBeDefined();
    settled = 6n;
    now = 20_000;
    await add('d', Promise.resolve({ kind: 'accepted', base: 7n, appendTimeMs: 0 }));
    expect(get('a')).toBeUndefined();
    expect(get('c')).toBeDefined();
    expect(identityOf('a', 'b')).not.toBe(identityOf('ab', ''));
  });
  it('are bounded by the limit', async () => {
    const recent = new RecentAppends(
      () => 0n,
      () => 0,
      10,
    );
    for (let i = 0; i < 50; i++)
      await recent.add(
        [ready({ nomor: 'K' }, { id: `${i}` })],
        Promise.resolve({ kind: 'accepted', base: BigInt(i), appendTimeMs: 0 }),
      )[0]!.done;
    expect(recent.size).toBeLessThanOrEqual(11);
  });
});

describe('small rules', () => {
  it('pointers of refusals hold only names of the contract and the envelope, and the function is idempotent', () => {
    for (const [given, counted] of [
      ['/data/daftar/12/nama', '/data/daftar/*/nama'],
      ['/data/9901010101010001', '/data/*'],
      ['/data/Budi Santoso, Jl. Melati', '/data/*'],
      ['/data/daftar/subject', '/data/daftar/*'],
      ['/subject', '/subject'],
      ['/budi', '/*'],
      ['/nama', '/nama'],
      ['ce-id', 'ce-id'],
      ['ce-budi', 'ce-*'],
      ['?budi', '*'],
      ['content-type', 'content-type'],
      ['', ''],
      [`/${'a'.repeat(300)}`, '…'],
    ] as const) {
      const once = countedPointer(given, new Set(['daftar', 'nama']));
      expect([given, once, countedPointer(once, new Set(['daftar', 'nama']))]).toEqual([given, counted, counted]);
    }
  });
});

describe('values that the contract does not allow are refused before anything is written, with a pointer', () => {
  const day = { type: 'int', logicalType: 'date' };
  const fields = [
    ...V1,
    { name: 'jumlah', type: 'int', default: 0, min: 0, max: 10 },
    {
      name: 'tarif',
      type: ['null', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }],
      default: null,
      min: '0',
    },
    { name: 'lintang', type: ['null', 'double'], default: null, min: -90, max: 90 },
    { name: 'panjang', type: ['null', 'long'], default: null, min: 0 },
    { name: 'hari', type: ['null', day], default: null, min: '1900-01-01', max: '2200-12-31' },
    { name: 'kelas', type: ['null', { type: 'array', items: 'int' }], default: null, min: 1, max: 45 },
    { name: 'catatan', type: ['null', 'string'], default: null },
    { name: 'unit', type: ['null', 'string'], default: null, role: 'unitId' },
    { name: 'unitLain', type: ['null', { type: 'array', items: 'string' }], default: null, role: 'unitId' },
  ];
  const plain = fields.map(({ min: _min, max: _max, role: _role, ...f }: Record<string, unknown>) => f);
  const [old, now] = [typeOf(1, plain), typeOf(2, fields)];
  const both = { ...catalogue, newest: () => now, version: (_t: string, v: number) => (v === 1 ? old : now) };
  const answer = (data: Record<string, unknown>, version = 2, more: Partial<CheckRules> = {}): string => {
    const offered = offer({ nomor: 'K-1', ...data }, { dataschema: `urn:simpul:schema:uji.kasus.lahir:${version}` });
    const c = checkItem(offered, context, { ...rules, catalogue: both, ...more });
    return c.ok ? 'fine' : [c.fault.code, ...c.fault.problems.map((p) => p.pointer)].join(' ');
  };

  it.each<[Record<string, unknown>, string]>([
    [{ jumlah: -1 }, '/data/jumlah'],
    [{ jumlah: 11 }, '/data/jumlah'],
    [{ tarif: '-0.01' }, '/data/tarif'],
    [{ lintang: 90.1 }, '/data/lintang'],
    [{ panjang: '-9223372036854775808' }, '/data/panjang'],
    [{ hari: '1899-12-31' }, '/data/hari'],
    [{ hari: '9999-12-31' }, '/data/hari'],
    [{ kelas: [1, 46, 0] }, '/data/kelas/1 /data/kelas/2'],
  ])('%j is outside its bounds, also for an event that names a version without bounds', (data, pointers) => {
    for (const version of [1, 2]) expect(answer(data, version)).toBe(`value_out_of_bounds ${pointers}`);
  });

  it('a value at its bound, and a field without a value, are taken', () => {
    expect(answer({ jumlah: 0, tarif: '0.00', lintang: -90, panjang: '9223372036854775807' })).toBe('fine');
    expect(answer({ jumlah: 10, hari: '2200-12-31', kelas: [1, 45] })).toBe('fine');
    expect(answer({})).toBe('fine');
  });

  it('a long text or list is refused where entries of views are made of it, and taken elsewhere', () => {
    const folded = new Map([['uji.kasus.lahir', ['catatan', 'kelas']]]);
    const long = { catatan: 'x'.repeat(FOLDED_CHARACTERS + 1) };
    expect(answer(long)).toBe('fine');
    for (const version of [1, 2]) expect(answer(long, version, { folded })).toBe('value_out_of_bounds /data/catatan');
    expect(answer({ catatan: 'x'.repeat(FOLDED_CHARACTERS), kelas: [1] }, 2, { folded })).toBe('fine');
    const list = { kelas: Array.from({ length: FOLDED_JSON / 2 + 1 }, () => 1) };
    expect(answer(list, 2, { folded })).toBe('value_out_of_bounds /data/kelas');
    expect(answer(list)).toBe('fine');
  });

  it('a unit that the registry does not know is unknown_unit, in a field and in a list, also for an event that names an older version', () => {
    for (const version of [1, 2]) {
      expect(answer({ unit: 'SU99999' }, version)).toBe('unknown_unit /data/unit');
      expect(answer({ unitLain: ['SU00123', 'SU99999'] }, version)).toBe('unknown_unit /data/unitLain/1');
    }
    expect(answer({ unit: 'SU00123', unitLain: [] })).toBe('fine');
    expect(answer({ unitLain: Array.from({ length: 5_000 }, () => 'SU99999') }).split(' ')).toHaveLength(51);
  });
});
