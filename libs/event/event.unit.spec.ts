import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  dataschemaUrn,
  digestOf,
  formatPosition,
  fromHeaders,
  HeaderPlaces,
  isTypeName,
  murmur2,
  parseDataschema,
  parsePosition,
  parseSource,
  partitionOf,
  pseudonymOf,
  schemaIdOf,
  sourceUrn,
  streamOf,
  toHeaders,
  type Header,
} from './index.js';

describe('the key of an event', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('%s has the murmur2 hash that the default partitioner of Kafka computes', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('maps to a partition between 0 and the number of partitions', () => {
    for (let i = 0; i < 1000; i++) {
      const p = partitionOf(Buffer.from(`P-${i}`), 8);
      expect(p >= 0 && p < 8).toBe(true);
    }
  });

  it('has a digest over length, key and value, so that moving a byte from the key to the value changes the digest', () => {
    const d = digestOf(Buffer.from('ab'), Buffer.from('c'));
    expect(d).toEqual(
      createHash('sha256')
        .update(Buffer.from([0, 0, 0, 2, 97, 98, 99]))
        .digest(),
    );
    expect(d).not.toEqual(digestOf(Buffer.from('a'), Buffer.from('bc')));
  });

  it('becomes a pseudonym of 26 base32 characters that differs between deployment keys', () => {
    const a = pseudonymOf('A.1/2021', Buffer.alloc(32, 1));
    expect(a).toMatch(/^[a-z2-7]{26}$/);
    expect(a).toBe(pseudonymOf('A.1/2021', Buffer.alloc(32, 1)));
    expect(a).not.toBe(pseudonymOf('A.1/2021', Buffer.alloc(32, 2)));
  });
});

describe('names of types, sources and schemas', () => {
  it('a type has three segments, and the first two name its stream', () => {
    expect(isTypeName('imigrasi.cegah.daftar-diterima')).toBe(true);
    expect(streamOf('imigrasi.cegah.daftar-diterima')).toBe('imigrasi.cegah');
    for (const bad of ['imigrasi.cegah', 'Imigrasi.a.b', 'a.b.c.d', 'a..b', '', 'a.b.c\n', '../a.b'])
      expect(isTypeName(bad)).toBe(false);
  });

  it('a source has one of three forms; anything else is not parsed', () => {
    expect(parseSource('urn:simpul:unit:SU00123:simkim')).toEqual({ kind: 'unit', unit: 'SU00123', system: 'simkim' });
    expect(parseSource('urn:simpul:party:EXT-KPK:spdp')).toEqual({ kind: 'party', party: 'EXT-KPK', system: 'spdp' });
    expect(parseSource('urn:simpul:hub:clock')).toEqual({ kind: 'hub', role: 'clock' });
    for (const bad of [
      'urn:simpul:unit:SU1:x',
      'urn:simpul:unit:SU00123:',
      'urn:simpul:unit:SU00123:a:b',
      'https://x',
      'urn:simpul:unit:SU00123:x\n',
    ])
      expect(parseSource(bad)).toBeUndefined();
    expect(sourceUrn('EXT-KPK', 'a')).toBe('urn:simpul:party:EXT-KPK:a');
    expect(sourceUrn('SU00123', 'a')).toBe('urn:simpul:unit:SU00123:a');
  });

  it('a dataschema and a position round-trip, and malformed ones are not parsed', () => {
    expect(parseDataschema(dataschemaUrn('a.b.c', 12))).toEqual({ type: 'a.b.c', version: 12 });
    expect(parseDataschema('urn:simpul:schema:a.b.c:0')).toBeUndefined();
    expect(parsePosition(formatPosition('a.b', 3, 2n ** 60n))).toEqual({
      stream: 'a.b',
      partition: 3,
      offset: 2n ** 60n,
    });
    expect(parsePosition(formatPosition('a.b', 3, 2n ** 63n - 1n))?.offset).toBe(2n ** 63n - 1n);
    for (const bad of [`a.b/3/${2n ** 63n}`, 'a.b/3', 'a.b/03/1', 'a.b/3/-1', '/3/1', 'a.b/3/1/'])
      expect(parsePosition(bad)).toBeUndefined();
  });
});

describe('the envelope of a record', () => {
  const envelope = {
    id: '01J',
    source: 'urn:simpul:unit:SU00123:simkim',
    type: 'imigrasi.paspor.diterbitkan',
    subject: 'P-1',
    time: '2021-07-15T02:30:00Z',
    dataschema: 'urn:simpul:schema:imigrasi.paspor.diterbitkan:1',
    extensions: { korelasi: 'K-é' },
  };
  const hub = {
    digest: Buffer.alloc(32, 7),
    recordedtime: '2021-07-15T02:30:01.000Z',
    unit: 'SU00123@1',
    traceparent: undefined,
  };

  it('is the same after it was written to record headers and read back', () => {
    expect(fromHeaders(toHeaders(envelope, hub))).toEqual({
      ...envelope,
      ...hub,
      crc: expect.any(Buffer),
      check: undefined,
    });
  });

  it('is the same from places in bytes, also when texts repeat, differ in one byte or are no UTF-8', () => {
    const from = (headers: readonly Header[]): unknown => {
      const places = new HeaderPlaces();
      const bytes = Buffer.concat(headers.map(([, value]) => value ?? Buffer.alloc(0)));
      let at = 0;
      for (const [name, value] of headers) {
        places.add(name, bytes, at, value === null ? -1 : at + value.length);
        at += value?.length ?? 0;
      }
      return fromHeaders(places);
    };
    const sources = ['urn:simpul:unit:SU00123:simkim', 'urn:simpul:unit:SU00124:simkim', 'urn:simpul:unit:SU00123:é'];
    const variants = [...sources, ...sources.toReversed(), sources[0]!, sources[0]!].map((source) =>
      toHeaders({ ...envelope, source }, hub),
    );
    const broken = variants[0]!.map(([name, value]): Header =>
      name === 'ce_source' ? [name, Buffer.alloc(value!.length, 0xe9)] : [name, value],
    );
    const empty = variants[0]!.map(([name, value]): Header => (name === 'ce_korelasi' ? [name, null] : [name, value]));
    for (const headers of [...variants, broken, ...variants, broken, empty])
      expect(from(headers)).toEqual({
        ...envelope,
        ...hub,
        source: headers.find(([name]) => name === 'ce_source')![1]!.toString(),
        extensions: headers === empty ? {} : envelope.extensions,
        crc: expect.any(Buffer),
        check: undefined,
      });
  });

  it('is undefined (a foreign record) when the digest or a required attribute is missing', () => {
    const headers = toHeaders(envelope, hub);
    expect(fromHeaders(headers.filter(([n]) => n !== 'simpul-digest'))).toBeUndefined();
    expect(fromHeaders(headers.filter(([n]) => n !== 'ce_type'))).toBeUndefined();
  });

  it('is followed by a value whose V0 frame carries the schema id', () => {
    expect(schemaIdOf(Buffer.from([0, 0xff, 0, 0, 1, 9]))).toBe(0xff000001);
    expect(schemaIdOf(Buffer.from([1, 0, 0, 0, 1]))).toBeUndefined();
    expect(schemaIdOf(Buffer.from([0, 0, 0]))).toBeUndefined();
  });
});
