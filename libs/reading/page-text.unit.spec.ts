import { expect, it } from '@jest/globals';
import { PageText } from './page-text.js';

it('a page of any size is the bytes of its texts in their order, with what stands before, between and behind them', () => {
  const texts = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ i, nama: 'é€😀'.repeat(i % 40) }));
  texts[7] = JSON.stringify('x'.repeat(1_000_000));
  const page = new PageText('{"events":[', ',');
  const lengths = texts.map((text) => page.add(text));
  expect(page.end('],"next":null}').toString()).toBe(`{"events":[${texts.join()}],"next":null}`);
  expect(lengths).toEqual(texts.map((text) => Buffer.byteLength(text)));
  expect(page.texts).toBe(3_000);
});

it('a page without texts is what stands before and behind them', () => {
  expect(new PageText('[', ',').end(']').toString()).toBe('[]');
});
