import { describe, expect, it } from '@jest/globals';
import { compileContract } from '#avro';
import { dataschemaUrn, digestOf, toHeaders } from '#event';
import type { LogRecord } from '#log';
import { openRecord, type Catalogue, type EventRecord, type EventType } from '#registry';
import type { First } from '#state';
import { ItemState, type ReadyItem } from '../publishing/item.js';
import { sortDuplicates } from '../publishing/sort-duplicates.js';
import { findCopies, type IndexDeps } from './index-step.js';
import { sameContent } from './index.js';

const TYPE = 'uji.kasus.lahir';
const PART = { stream: 'uji.kasus', partition: 0 };
const decimal = { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 };
const status = { type: 'enum', name: 'Status', symbols: ['DIBUKA', 'DITUTUP'] };

const nomor = { name: 'nomor', type: 'string' };
const isi = { name: 'isi', type: ['null', 'string'], default: null };
const berkas = { name: 'berkas', type: 'bytes', default: '' };
const biaya = { name: 'biaya', type: ['null', decimal], default: null };
const ukuran = { name: 'ukuran', type: 'double', default: 0 };
const keadaan = { name: 'keadaan', type: status, default: 'DIBUKA' };
const daftar = { name: 'daftar', type: { type: 'array', items: 'string' }, default: [] };
const tambahan = { name: 'tambahan', type: 'int', default: 7 };

/** Version 2 adds `tambahan` and has the other fields in another order; version 3 drops `isi`. */
const VERSIONS = [
  [nomor, isi, berkas, biaya, ukuran, keadaan, daftar],
  [tambahan, daftar, keadaan, ukuran, biaya, berkas, isi, nomor],
  [nomor, berkas, biaya, ukuran, keadaan, daftar, tambahan],
];
const types = VERSIONS.map((fields, i) => {
  const schema = JSON.stringify({ type: 'record', name: 'Lahir', namespace: 'uji.kasus', fields });
  const rule = { stream: PART.stream, subject: ['nomor'], subjectForm: 'clear' };
  return {
    type: TYPE,
    version: i + 1,
    schemaId: 101 + i,
    contract: compileContract(schema),
    ...rule,
  } as unknown as EventType;
});
const other = { ...types[0]!, type: 'uji.kasus.lain', schemaId: 200 };
const catalogue = {
  bySchemaId: (id: number) => [...types, other].find((t) => t.schemaId === id),
  stream: () => ({ name: PART.stream, partitions: 1 }),
} as unknown as Catalogue;

type Written = readonly [version: 1 | 2 | 3, data: Readonly<Record<string, unknown>>];

interface Event {
  readonly item: ReadyItem;
  readonly record: EventRecord;
  readonly entry: First;
}

function write([version, data]: Written, offset: bigint, type = types[version - 1]!): Event {
  const encoded = type.contract.encode(data, type.schemaId);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  const { value } = encoded;
  const key = Buffer.from(String(data['nomor']));
  const digest = digestOf(key, value);
  const recordedtime = '2021-07-15T02:30:00.000Z';
  const given = { id: 'a', source: 'urn:simpul:unit:SU00123:simkim', type: type.type, subject: key.toString() };
  const headers = toHeaders(
    { ...given, time: recordedtime, dataschema: dataschemaUrn(type.type, version), extensions: {} },
    { digest, recordedtime, unit: undefined, traceparent: undefined },
  );
  const record: LogRecord = { key, value, headers, offset, leaderEpoch: 0, appendTimeMs: Date.parse(recordedtime) };
  const hex = digest.toString('hex');
  const item = { identity: 'a', ...given, ...PART, type, key, value, digest: hex, recordedtime, unfit: undefined };
  const { id, source } = given;
  const entry = { id, source, ...PART, offset, digest: hex, schemaId: type.schemaId, recordedTimeMs: 0 };
  return { item: item as unknown as ReadyItem, record: openRecord(record, catalogue) as EventRecord, entry };
}

/** The gateway, which knows of the original only its entry in the index. */
function gatewaySaysSame({ item }: Event, { entry }: Event): boolean {
  const state = new ItemState({ ok: true, item });
  state.indexed = entry;
  sortDuplicates([state], { get: () => undefined }, catalogue, SUBJECTS);
  return state.outcome!.kind === 'duplicate';
}

/** The index step of the projector, for a record behind the original. */
async function indexSaysSame({ record }: Event, original: Event): Promise<boolean> {
  const deps = {
    catalogue,
    now: () => record.record.appendTimeMs,
    log: {
      read: () => Promise.resolve({ kind: 'records', records: [original.record.record], next: 2n, low: 0n, high: 3n }),
    },
    state: {
      putFirst: (entries: readonly First[]) => Promise.resolve(entries.map((e) => (e.id === 'a' ? original.entry : e))),
    },
    copies: { originalOf: () => undefined, list: () => Promise.resolve() },
  } as unknown as IndexDeps;
  return (
    (await findCopies(deps, { ...PART, epoch: 1n, topicId: '' }, [record])).get(record.record.offset) ===
    original.entry.offset
  );
}

const SUBJECTS = { pseudonymKey: Buffer.alloc(32, 1), limits: { subjectBytes: 500 } };

const full = {
  nomor: 'K',
  isi: 'x',
  berkas: 'AQID',
  biaya: '12.50',
  ukuran: 0.1,
  keadaan: 'DITUTUP',
  daftar: ['b', 'a'],
};

it('an event that was recorded under the subject rule of an earlier version is a duplicate when it is sent again after the rule has changed', () => {
  const first = write([1, full], 0n);
  const now = { ...types[1]!, subject: ['keadaan', 'nomor'] } as unknown as EventType;
  const again = (data: typeof full, version = now): Event => {
    const event = write([version.version as 1 | 2, data], 1n, version);
    const key = Buffer.from(`${data.keadaan}:${data.nomor}`);
    const digest = digestOf(key, event.item.value).toString('hex');
    return { ...event, item: { ...event.item, key, subject: key.toString(), digest } };
  };
  expect(gatewaySaysSame(again(full), first)).toBe(true);
  expect(gatewaySaysSame(again(full, types[0]), first)).toBe(true);
  expect(gatewaySaysSame(again({ ...full, isi: 'lain' }), first)).toBe(false);
  expect(gatewaySaysSame(again({ ...full, nomor: 'L' }), first)).toBe(false);
});

describe('the same content (R2.6), for the gateway and for the index step', () => {
  it.each<readonly [name: string, same: boolean, a: Written, b: Written]>([
    ['equal data under one version', true, [1, full], [1, full]],
    ['another value under one version', false, [1, full], [1, { ...full, isi: 'y' }]],
    ['a field that a version adds, at its default', true, [1, full], [2, { ...full, tambahan: 7 }]],
    ['a field that a version adds, left out', true, [1, full], [2, full]],
    ['a field that a version adds, at another value', false, [1, full], [2, { ...full, tambahan: 8 }]],
    ['only defaults under different versions', true, [1, { nomor: 'K' }], [2, { nomor: 'K' }]],
    ['a field that is left out in one of them', false, [1, full], [2, { nomor: 'K', tambahan: 7 }]],
    ['another subject', false, [1, full], [2, { ...full, nomor: 'L' }]],
    ['other bytes', false, [1, full], [2, { ...full, berkas: 'AQIE' }]],
    ['another decimal', false, [1, full], [2, { ...full, biaya: '12.51' }]],
    ['another double', false, [1, full], [2, { ...full, ukuran: 0.1 + Number.EPSILON }]],
    ['another enum symbol', false, [1, full], [2, { ...full, keadaan: 'DIBUKA' }]],
    ['another order of a list', false, [1, full], [2, { ...full, daftar: ['a', 'b'] }]],
    [
      'a field that a version drops, at its default',
      true,
      [2, { ...full, isi: null }],
      [3, { ...full, isi: undefined }],
    ],
    // Read in the newer shape both would say the same: the text that only version 2 can hold would be lost with the copy.
    ['a field that a version drops, at another value', false, [2, full], [3, { ...full, isi: undefined }]],
  ])('%s: %s', async (_name, same, a, b) => {
    for (const [original, event] of [
      [a, b],
      [b, a],
    ] as const) {
      const first = write(original, 1n);
      const later = write(event, 2n);
      expect({
        direct: sameContent(later.item, first.entry, catalogue),
        gateway: gatewaySaysSame(later, first),
        index: await indexSaysSame(later, first),
      }).toEqual({ direct: same, gateway: same, index: same });
    }
  });

  it('is never the content of another type, of an unknown schema, or of another partition', () => {
    const event = write([1, full], 2n);
    const { entry } = write([2, full], 1n);
    expect(sameContent(event.item, { ...entry, schemaId: 200 }, catalogue)).toBe(false);
    expect(sameContent(event.item, { ...entry, schemaId: 999 }, catalogue)).toBe(false);
    expect(sameContent(event.item, { ...event.entry, partition: 1 }, catalogue)).toBe(false);
  });

  it('cannot meet NaN, infinities or minus zero: no contract encodes them', () => {
    for (const ukuran of [Number.NaN, Number.POSITIVE_INFINITY, -0])
      expect(types[0]!.contract.encode({ ...full, ukuran }, 101).ok).toBe(false);
  });
});
