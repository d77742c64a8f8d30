import { describe, expect, it } from '@jest/globals';
import { HeaderPlaces, type Header } from '#event';
import type { LogRecord } from '#log';
import { decodeRow, encodeBatch } from './batch.js';

const bytes = (text: string): Buffer => Buffer.from(text);
const written = [
  {
    key: bytes('a'),
    value: bytes('satu'),
    headers: [
      ['ce_id', bytes('1')],
      ['kosong', null],
    ] as Header[],
  },
  {
    key: null,
    value: null,
    headers: [
      ['ce_id', bytes('22')],
      ['lain', bytes('')],
    ] as Header[],
  },
  { key: bytes('b'), value: bytes(''), headers: [] },
];

function read(from = 7): LogRecord[] {
  const out: LogRecord[] = [];
  const row = { base: 7, last: 9, time: 5, data: encodeBatch(written) };
  decodeRow(row as unknown as Parameters<typeof decodeRow>[0], from, out, 10, 1_000_000);
  return out;
}

describe('a record of an append', () => {
  it('gives key, value and headers as they were written, in whatever order and however often they are asked for', () => {
    const records = read().toReversed();
    for (let times = 0; times < 2; times++)
      expect(records.map(({ offset, key, value, headers }) => ({ offset, key, value, headers }))).toEqual(
        written.map((record, i) => ({ offset: BigInt(7 + i), ...record })).toReversed(),
      );
    expect(read(8).map(({ offset }) => offset)).toEqual([8n, 9n]);
  });

  it('tells where its headers lie, null ones too, without what the record before had', () => {
    const places = new HeaderPlaces();
    const told = read().map((record) => {
      record.placeHeaders!(places);
      return Array.from({ length: places.count }, (_, i) => [
        places.names[i],
        places.to[i]! < 0 ? null : places.bytes[i]!.subarray(places.from[i], places.to[i]),
      ]);
    });
    expect(told).toEqual(written.map(({ headers }) => headers));
  });
});
