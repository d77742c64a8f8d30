import { describe, expect, it } from '@jest/globals';
import { defineTexts, showProblem, verbatim } from './index.js';

const texts = defineTexts({
  not_a_list: { id: 'bukan daftar', en: 'not a list' },
  at_most: { id: 'paling banyak {most} dari {what}', en: 'of {what} at most {most}' },
  either: { id: '{one} atau {other}', en: '{one} or {other}' },
});

describe('the texts of a room', () => {
  it('are rendered in the language of the reader, with names and numbers as they are and texts inside texts in that language', () => {
    const text = texts.either({ one: texts.not_a_list(), other: texts.at_most({ most: 5, what: '{one} $& bytes' }) });
    expect(text.in('id')).toBe('bukan daftar atau paling banyak 5 dari {one} $& bytes');
    expect(text.in('en')).toBe('not a list or of {one} $& bytes at most 5');
  });

  it('carry a code and arguments, and read as English in a log line', () => {
    const text = texts.at_most({ most: 5, what: 'bytes' });
    expect([text.code, text.args]).toEqual(['at_most', { most: 5, what: 'bytes' }]);
    expect([`${text}`, JSON.stringify({ text })]).toEqual(['of bytes at most 5', '{"text":"of bytes at most 5"}']);
  });

  it('leave names, forms and messages of libraries as they are in every language', () => {
    expect([verbatim('stream/{p}').in('id'), verbatim('stream/{p}').in('en')]).toEqual(['stream/{p}', 'stream/{p}']);
  });

  it('are checked by types: an unknown code, a missing argument, a missing language and different placeholders do not compile', () => {
    // @ts-expect-error unknown code
    expect(texts.unknown).toBeUndefined();
    // @ts-expect-error missing arguments
    expect(String(texts.at_most())).toContain('{most}');
    // @ts-expect-error missing argument
    expect(String(texts.at_most({ most: 5 }))).toContain('{what}');
    // @ts-expect-error missing language
    expect(defineTexts({ a: { id: 'a' } })).toBeDefined();
    // @ts-expect-error a placeholder that only one language has
    expect(defineTexts({ a: { id: '{n} a', en: 'a' } })).toBeDefined();
  });

  it('are shown in a problem in the language of the reader, with the members in reading order', () => {
    const problem = {
      reason: texts.not_a_list(),
      expected: texts.at_most({ most: 1, what: 'x' }),
      pointer: '/a',
      index: 2,
    };
    expect(JSON.stringify(showProblem(problem, 'id'))).toBe(
      '{"index":2,"pointer":"/a","reason":"bukan daftar","expected":"paling banyak 1 dari x"}',
    );
    expect(showProblem({ pointer: '', reason: texts.not_a_list(), code: 'conflict' }, 'en')).toEqual({
      pointer: '',
      reason: 'not a list',
      code: 'conflict',
    });
  });
});
