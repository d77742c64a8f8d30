import { describe, expect, it } from '@jest/globals';
import { sourcesOf, textsGivenTo } from '../../test/kit/texts.js';
import { INDONESIAN } from './indonesian.js';
import { FAULTS, inIndonesian } from './index.js';

/** The rooms that still write sentences; every other room has a `texts.ts`. */
const files = sourcesOf('http');
const reasons = textsGivenTo('reason', files, { refine: 1 });
const expected = textsGivenTo('expected', files);
/** Forms and names: the same in both languages. */
const SAME = new Set([
  '00-<32 hex>-<16 hex>-<2 hex>',
  '1.0',
  '<domain>.<aggregate>.<fact>',
  'application/avro · avro/binary',
  'application/json',
  'identity',
  'stream/partition/offset',
  'urn:simpul:hub:{}',
  'urn:simpul:schema:{}:{}',
  'urn:simpul:unit:<unit>:<system>',
  'urn:simpul:{}:{}:{}',
  '{}/{}/{}',
]);
/** Reasons that hand on what was found elsewhere: a reason, the detail of a fault (English), a title of the fault table, a text of `refine`. */
const HANDED_ON = [
  'http/doors/publish-answers.ts: titleOf(fault)',
  'http/doors/publish-answers.ts: verbatim(fault.detail)',
  'http/read-input.ts: issue.message',
];
/** Another function `problem`. */
const OTHERS = ['http/doors/publish.ts: req', 'http/problem.ts: p'];

/** As a caller may see it: holes filled with a text that has a row, so that both kinds of holes take it. */
const seen = (text: string): string => text.replaceAll('{}', 'text');

describe('the Indonesian texts of problems', () => {
  it('cover every reason and every expectation that the code can give to a caller', () => {
    const all = [...reasons.texts.keys(), ...expected.texts.keys()];
    expect(all.filter((t) => !SAME.has(t) && !(t in INDONESIAN) && inIndonesian(seen(t)) === seen(t))).toEqual([]);
    // A reason made in another way would be missed by this test: it is named here, or is a plain text.
    expect([...reasons.unknown].filter((u) => !OTHERS.includes(u)).toSorted()).toEqual(HANDED_ON);
  });

  it('have the same holes as the English ones', () => {
    const holes = (t: string): string[] => t.match(/\{(text)?\}/g) ?? [];
    for (const [en, id] of Object.entries(INDONESIAN)) expect([en, holes(id)]).toEqual([en, holes(en)]);
  });

  it('keep names and numbers, and turn the texts that stand in texts', () => {
    for (const [en, id] of [
      ['not a calendar day', 'bukan tanggal'],
      ['not 16 bytes', 'bukan 16 byte'],
      ['one of missing, text, null', 'salah satu dari missing, text, null'],
      ['null or a whole number; beyond 2^53 as text', 'null atau bilangan bulat; di atas 2^53 sebagai teks'],
      ['null or a UUID or text', 'null atau UUID atau teks'],
      ['text (did you mean nomorCekal?)', 'teks (maksudnya nomorCekal?)'],
      ['a union index outside the schema', 'nomor union di luar skema'],
      ['nomor:jenis, or left out', 'nomor:jenis, atau dihilangkan'],
      [FAULTS.empty_batch.title.en, FAULTS.empty_batch.title.id],
    ])
      expect([en, inIndonesian(en!)]).toEqual([en, id]);
  });

  it('leave alone what has no row, whatever it is', () => {
    for (const text of ['', 'nobody wrote this', 'one of ', ' or ', `${'x'.repeat(50_000)} or null`, 'constructor'])
      expect(inIndonesian(text)).toBe(text);
  });
});
