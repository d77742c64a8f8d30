import { describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { fromHeaders, type Header } from '#event';
import type { LogRecord } from '#log';
import { catalogueOfFiles, recordOf } from '../../test/kit/projection/events.js';
import { openRecord } from './record.js';

const catalogue = catalogueOfFiles(1);
const { record } = recordOf(catalogue, {
  type: 'imigrasi.paspor.diterbitkan',
  source: 'urn:simpul:unit:SU00123:simkim',
  data: { nomorPermohonan: 'P-1' },
});
const kindWith = (headers: readonly Header[]): string =>
  openRecord({ ...record, headers, offset: 0n, appendTimeMs: 0 } as LogRecord, catalogue).kind;
const flipped = (name: string): readonly Header[] =>
  record.headers.map(([n, value]) => {
    if (n !== name || value === null) return [n, value];
    const bytes = Buffer.from(value);
    bytes[bytes.length - 1]! ^= 1;
    return [n, bytes];
  });

describe('an event with a check', () => {
  it.each(record.headers.map(([name]) => name).filter((n) => n.startsWith('ce_') && n !== 'ce_specversion'))(
    'is corrupt when a bit of %s has changed',
    (name) => {
      expect(kindWith(record.headers)).toBe('event');
      expect(kindWith(flipped(name))).toBe('corrupt');
    },
  );

  it('is corrupt, and not a foreign record, when an attribute is gone; one of an earlier version, without a check, is read as it is', () => {
    const without = (...names: string[]): readonly Header[] => record.headers.filter(([n]) => !names.includes(n));
    expect(['ce_id', 'ce_time', 'simpul-recordedtime', 'simpul-digest'].map((n) => kindWith(without(n)))).toEqual(
      Array(4).fill('corrupt'),
    );
    expect([kindWith(without('simpul-crc')), kindWith(without('simpul-crc', 'ce_id'))]).toEqual(['event', 'foreign']);
  });

  it('of an earlier version, SHA-256 in simpul-check, is verified too', () => {
    const { id, source, type, subject, time, dataschema, recordedtime, unit, extensions } = fromHeaders(
      record.headers,
    )!;
    const text = [id, source, type, subject, time, dataschema, recordedtime, unit ?? '', ''].join('\n');
    const more = Object.entries(extensions).map(([name, value]) => `\n${name}=${value}`);
    const check = hash('sha256', text + more.join(''), 'hex').slice(0, 16);
    const old = (headers: readonly Header[]): readonly Header[] =>
      headers.map((h) => (h[0] === 'simpul-crc' ? ['simpul-check', Buffer.from(check, 'latin1')] : h));
    expect(kindWith(old(record.headers))).toBe('event');
    for (const name of ['ce_id', 'ce_source', 'ce_subject', 'ce_time'])
      expect([name, kindWith(old(flipped(name)))]).toEqual([name, 'corrupt']);
    expect(kindWith(old(record.headers).filter(([n]) => n !== 'ce_id'))).toBe('corrupt');
  });
});
