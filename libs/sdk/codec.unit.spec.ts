import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { compileContract, type Data } from '#avro';
import { problemOf } from '#http';
import type { EventType } from '#registry';
import { catalogue as readCatalogue } from '../../bin/gen-catalogue.mjs';
import { checkItem, type CheckRules } from '../publishing/check.js';
import { PUBLISH_LIMITS } from '../publishing/limits.js';
import {
  dataAs,
  dataschemaOf,
  decodeAs,
  defineEvent,
  encodeEvent,
  isSdkFault,
  type EventToken,
  type SdkFault,
} from './index.js';

const ROOT = join(import.meta.dirname, '../..');
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const schemaOf = (fields: readonly object[], version = 1): string =>
  JSON.stringify({ type: 'record', name: 'Lahir', namespace: 'uji.kasus', simpul: { type: TYPE, version }, fields });
const TYPE = 'uji.kasus.lahir';
const tokenOf = (fields: readonly object[], version = 1, more: Pick<EventToken, 'longs'> = {}): EventToken =>
  defineEvent({ type: TYPE, stream: 'uji.kasus', version, schema: schemaOf(fields, version), ...more });

function faultOf(work: () => unknown): SdkFault {
  try {
    work();
  } catch (e) {
    if (isSdkFault(e)) return e;
    throw e;
  }
  throw new Error('was not refused');
}

/** What a door answers for this data. */
function answerOf(token: EventToken, data: unknown, language: 'id' | 'en'): unknown {
  const type = {
    ...{ type: TYPE, version: 1, schemaId: 1, stream: 'uji.kasus', contract: compileContract(token.schema) },
    ...{ publishers: ['any'], consumers: [], subject: ['nomor'], unitFields: [], ordering: 'subject' },
  } as unknown as EventType;
  const catalogue = { newest: () => type, version: () => type, stream: () => ({ partitions: 1 }) };
  const allowed = { mayPublish: () => undefined, mayState: () => undefined, limits: PUBLISH_LIMITS };
  const checked = checkItem(
    {
      kind: 'event',
      given: { specversion: '1.0', id: 'a', source: 'urn:simpul:unit:SU00123:simkim', type: TYPE },
      content: { kind: 'json', data },
      form: 'body',
      bytes: 100,
    },
    { caller: {}, recordedtime: '2021-07-15T02:30:00.000Z', traceparent: undefined } as never,
    { catalogue, units: {}, pseudonymKey: Buffer.alloc(32), ...allowed } as unknown as CheckRules,
  );
  if (checked.ok) throw new Error('was accepted');
  const { status, code, title, hint, errors } = problemOf(checked.fault, language, '');
  return { status, problem: { code, title, hint, errors } };
}

describe('encodeEvent', () => {
  it('writes the bytes that the hub writes, for every contract of the repository', () => {
    const { types } = readCatalogue(ROOT);
    for (const { type, stream, file } of types) {
      const schema = readFileSync(join(ROOT, 'schemas', file), 'utf8');
      const token = defineEvent({ type, stream, version: 1, schema });
      const data = JSON.parse(readFileSync(join(ROOT, `schemas/golden/${type}.json`), 'utf8')) as Data;
      const golden = readFileSync(join(ROOT, `schemas/golden/${type}.avro`));
      expect(Buffer.from(encodeEvent(token, data))).toEqual(golden);
      expect(decodeAs(token, schema, golden)).toEqual(data);
    }
    expect(types.length).toBeGreaterThan(40);
  });

  const ENUM = { type: 'enum', name: 'E', symbols: ['_tidak_dikenal', 'biasa'], default: '_tidak_dikenal' };
  const token = tokenOf([
    field('nomor', 'string'),
    field('nik', ['null', 'string'], { role: 'nik', default: null }),
    field('jumlah', ['null', 'long'], { default: null }),
    field('jenis', ['null', ENUM], { default: null }),
    field('daftar', ['null', { type: 'array', items: 'int' }], { default: null }),
  ]);

  it.each([
    ['a field that is missing', {}],
    ['several wrong fields', { nomor: 1, nik: 'x', daftar: [1, 'x'] }],
    ['a misspelt name', { nomer: 'K-1' }],
    ['the default symbol', { nomor: 'K', jenis: '_tidak_dikenal' }],
    ['a symbol that is near', { nomor: 'K', jenis: 'biass' }],
    ['a number that is not exact', { nomor: 'K', jumlah: 2 ** 60 }],
    ['a forbidden character', { nomor: 'K\u202E' }],
    ['data that is no object', 'K-1'],
    ['a list', []],
    ['more entries than an event may have', { nomor: 'K', daftar: Array.from({ length: 100_001 }, () => 1) }],
  ])('refuses %s with the status, code, texts and pointers of the hub', (_what, data) => {
    for (const language of ['id', 'en'] as const) {
      const { status, problem, retryable } = faultOf(() => encodeEvent(token, data as Data, { language }));
      expect({ status, problem }).toEqual(answerOf(token, data, language));
      expect(retryable).toBe(false);
    }
  });

  it('gives texts in Indonesian when no language is asked for', () => {
    expect(faultOf(() => encodeEvent(token, {})).problem).toEqual(
      (answerOf(token, {}, 'id') as { problem: unknown }).problem,
    );
  });

  it('refuses a token whose schema is no Avro record', () => {
    const broken = defineEvent({ type: TYPE, stream: 'uji.kasus', version: 1, schema: '{"type":"record"}' });
    expect(faultOf(() => encodeEvent(broken, {}))).toMatchObject({ status: 422, code: 'invalid_schema' });
  });

  it('compiles the schema of a token once', () => {
    let read = 0;
    const counted = {
      ...token,
      get schema() {
        read++;
        return token.schema;
      },
    };
    for (let i = 0; i < 3; i++) encodeEvent(counted, { nomor: 'K' });
    expect(read).toBe(1);
  });
});

describe('decodeAs', () => {
  const old = [field('nomor', 'string'), field('lama', 'int')];
  const next = [field('nomor', 'string'), field('baru', 'string', { default: 'belum' })];

  it('gives an event of another version in the version of the token: newer and older', () => {
    const written = encodeEvent(tokenOf(old), { nomor: 'K-1', lama: 1 });
    expect(decodeAs(tokenOf(next, 2), schemaOf(old), written)).toEqual({ nomor: 'K-1', baru: 'belum' });
    const withDefault = [field('nomor', 'string'), field('lama', 'int', { default: 7 })];
    const newer = encodeEvent(tokenOf(next, 2), { nomor: 'K-1', baru: 'ya' });
    expect(decodeAs(tokenOf(withDefault), schemaOf(next, 2), newer)).toEqual({ nomor: 'K-1', lama: 7 });
  });

  it('refuses a version that the token cannot read with both versions and the field', () => {
    const bytes = encodeEvent(tokenOf(next, 2), { nomor: 'K-1', baru: 'ya' });
    const fault = faultOf(() => decodeAs(tokenOf(old), schemaOf(next, 2), bytes, { language: 'en' }));
    expect(fault).toMatchObject({ status: 409, code: 'incompatible_schema', retryable: false });
    expect(fault.problem.detail).toBe(`${TYPE} version 1 cannot read an event of ${TYPE} version 2`);
    expect(fault.problem.errors).toMatchObject([{ pointer: '/lama' }]);
  });

  it('refuses bytes that are not of the schema, with the pointer', () => {
    const token = tokenOf(old);
    const bytes = encodeEvent(token, { nomor: 'K-1', lama: 1 });
    for (const broken of [bytes.subarray(0, 2), Buffer.concat([bytes, Buffer.from([0])]), Buffer.from([0xff])])
      expect(faultOf(() => decodeAs(token, token.schema, broken))).toMatchObject({
        status: 422,
        code: 'avro_decode_failed',
        retryable: false,
      });
  });
});

describe('dataAs', () => {
  it('gives JSON of another version in the version of the token', () => {
    const old = schemaOf([field('nomor', 'string')]);
    const token = tokenOf([field('nomor', 'string'), field('baru', 'int', { default: 3 })], 2);
    expect(dataAs(token, { nomor: 'K-1' }, old)).toEqual({ nomor: 'K-1', baru: 3 });
    expect(dataAs(token, { nomor: 'K-1', baru: 4 })).toEqual({ nomor: 'K-1', baru: 4 });
  });

  it('gives masked data of the version of the token as it is', () => {
    const token = tokenOf([field('nomor', 'string'), field('lahir', { type: 'int', logicalType: 'date' })]);
    const masked = { nomor: '••••0001', lahir: null };
    expect(dataAs(token, masked)).toBe(masked);
  });
});

describe('a token with longs as bigint', () => {
  const fields = [
    field('a', 'long'),
    field('b', ['null', 'long'], { default: null }),
    field('c', {
      type: 'array',
      items: { type: 'record', name: 'D', fields: [field('d', 'long'), field('e', 'int')] },
    }),
    field('f', { type: 'map', values: 'long' }),
    field('g', ['long', 'string']),
    field('waktu', { type: 'long', logicalType: 'timestamp-millis' }),
  ];
  const token = tokenOf(fields, 1, { longs: 'bigint' });
  const plain = {
    a: '9223372036854775807',
    b: null,
    c: [{ d: 5, e: 6 }],
    f: { x: '-9007199254740993' },
    g: '12',
    waktu: '2021-07-15T02:30:00.000Z',
  };
  const big = { ...plain, a: 2n ** 63n - 1n, c: [{ d: 5n, e: 6 }], f: { x: -9007199254740993n } };

  it('takes and gives every long as bigint, but for those in a union of several types', () => {
    const bytes = encodeEvent(token, big);
    expect(Buffer.from(bytes)).toEqual(Buffer.from(encodeEvent(tokenOf(fields), plain)));
    expect(decodeAs(token, token.schema, bytes)).toEqual({ ...big, g: 12 });
    expect(decodeAs(tokenOf(fields), token.schema, bytes)).toEqual({ ...plain, g: 12 });
    expect(dataAs(token, plain)).toEqual(big);
    expect(plain.f.x).toBe('-9007199254740993');
  });

  it('refuses a bigint beyond 64 bits', () => {
    const fault = faultOf(() => encodeEvent(token, { ...big, a: 2n ** 63n }));
    expect(fault).toMatchObject({ code: 'number_out_of_range', problem: { errors: [{ pointer: '/data/a' }] } });
  });
});

it('dataschemaOf names type and version as the hub does', () => {
  expect(dataschemaOf(tokenOf([field('nomor', 'string')], 3))).toBe('urn:simpul:schema:uji.kasus.lahir:3');
});
