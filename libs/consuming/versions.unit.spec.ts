import { describe, expect, it } from '@jest/globals';
import { defineEvent, encodeEvent, type EventToken, type ReadEvent } from '#sdk';
import type { ReceivedEvent } from './port.js';
import { resolverOf } from './versions.js';

const TYPE = 'uji.kasus.lahir';
type Data = Readonly<Record<string, unknown>>;
const jenis = (...symbols: string[]) => ({ type: 'enum', name: 'J', symbols: ['_tidak_dikenal', ...symbols], default: '_tidak_dikenal' }); // prettier-ignore
const tokenOf = (version: number, fields: readonly object[]): EventToken<Data> =>
  defineEvent<Data>({
    ...{ type: TYPE, stream: 'uji.kasus', version },
    schema: JSON.stringify({ type: 'record', name: 'Lahir', fields: [{ name: 'nomor', type: 'string' }, ...fields] }),
  });
const V1 = tokenOf(1, [
  { name: 'jenis', type: jenis('a') },
  { name: 'lama', type: ['null', 'string'], default: null },
]);
const V2 = tokenOf(2, [
  { name: 'jenis', type: jenis('a', 'b') },
  { name: 'baru', type: 'long', default: 7 },
  { name: 'hari', type: { type: 'int', logicalType: 'date' }, default: 0 },
]);
const V3 = tokenOf(3, [{ name: 'wajib', type: 'string' }]);

/** As the two sources give an event: HTTP with plain JSON, Kafka with the bytes and the schema of the writer too. */
const SOURCES: readonly (readonly [string, (token: EventToken<Data>, data: Data) => ReceivedEvent])[] = [
  ['HTTP', (token, data) => ({ event: eventOf(token, data) })],
  [
    'Kafka',
    (token, data) => ({
      event: eventOf(token, data),
      writer: { version: token.version, schema: token.schema, bytes: encodeEvent(token, data) },
    }),
  ],
];
const eventOf = ({ version }: EventToken<Data>, data: Data): ReadEvent =>
  ({ id: 'a', type: TYPE, dataschema: `urn:simpul:schema:${TYPE}:${version}`, data }) as unknown as ReadEvent;

describe.each(SOURCES)('an event of another version from %s', (_name, received) => {
  it('that is newer arrives in the version of the token: its new fields are left out, a symbol of it is the default one', () => {
    const newer = { nomor: 'N-1', jenis: 'b', baru: 9, hari: '2021-07-15' };
    expect(resolverOf(V1)(received(V2, newer)).data).toEqual({ nomor: 'N-1', jenis: '_tidak_dikenal', lama: null });
  });

  it('that is older arrives in the version of the token: what it lacks has its default, what it had more is left out', () => {
    const older = { nomor: 'N-1', jenis: 'a', lama: 'x' };
    expect(resolverOf(V2)(received(V1, older)).data).toEqual({ nomor: 'N-1', jenis: 'a', baru: 7, hari: '1970-01-01' });
  });

  it('keeps apart types of one name in two namespaces, and reads a number whose logical type nobody knows as its base type', () => {
    const record = (namespace: string, field: string) => ({ type: 'record', name: 'Alamat', namespace, fields: [{ name: field, type: 'string' }] }); // prettier-ignore
    const places = [
      { name: 'asal', type: record('uji.asal', 'kota') },
      { name: 'tujuan', type: record('uji.tujuan', 'negara') },
      { name: 'lewat', type: ['null', 'uji.asal.Alamat'], default: null },
      { name: 'mikro', type: { type: 'long', logicalType: 'timestamp-micros' } },
    ];
    const [older, newer] = [tokenOf(1, places), tokenOf(2, [...places, { name: 'luas', type: 'long', default: 1 }])];
    const data = {
      nomor: 'N-1',
      asal: { kota: 'Bogor' },
      tujuan: { negara: 'JP' },
      lewat: { kota: 'Depok' },
      mikro: 5,
    };
    expect(resolverOf(newer)(received(older, data)).data).toEqual({ ...data, luas: 1 });
  });

  it('that the token cannot read is one line with both versions and the remedy', () => {
    const why = (): unknown => resolverOf(V3)(received(V1, { nomor: 'N-1', jenis: 'a', lama: null }));
    expect(why).toThrow(expect.objectContaining({ code: 'version_not_readable' }));
    expect(why).toThrow(
      /^version 3 of uji\.kasus\.lahir in this app cannot read an event of version 1: .*wajib.*`simpul type gen`$/,
    );
  });

  it('of the version of the token is not touched', () => {
    const given = received(V1, { nomor: 'N-1', jenis: 'a', lama: null });
    expect(resolverOf(V1)(given)).toBe(given.event);
  });
});
