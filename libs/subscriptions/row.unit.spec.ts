import { describe, expect, it } from '@jest/globals';
import { parseSubscription, serialiseSubscription, subscriptionId, type Subscription } from './index.js';

const id = subscriptionId('SU00123', 'payroll');
const ROW: Subscription = {
  id,
  name: 'payroll',
  owner: 'SU00123',
  system: 'simkim',
  types: ['sdm.#'],
  filters: [{ not: { any: [{ exact: { source: 'a' } }, { prefix: { id: 'b' } }] } }],
  units: { below: 'SU00054' },
  start: 'now',
  test: false,
  target: { kind: 'webhook', url: 'https://contoh.go.id/h', mode: 'batch', data: 'json', signature: 'v1a' },
  state: 'paused',
  why: 'receiver moves',
  version: 3,
  secrets: [{ sealed: 'a.AAAA', validUntil: '2026-12-01T00:00:00.000Z' }, { sealed: 'a.BBBB' }],
  createdAt: '2026-11-30T00:00:00.000Z',
  changedAt: '2026-11-30T00:00:00.000Z',
};
const parsed = (row: unknown, key = id) => parseSubscription(Buffer.from(JSON.stringify(row)), key);

describe('the row of a subscription', () => {
  it.each([undefined, 0n, 9_007_199_254_740_993n])('is what was written, with the epoch %s', (epoch) => {
    expect(parseSubscription(serialiseSubscription(ROW, epoch), id)).toEqual({ row: ROW, epoch });
  });

  it('keeps what a later version has added, and gives it back', () => {
    const later = { ...ROW, colour: 'blue', secrets: [{ sealed: 'a.A', kind: 'x' }], epoch: '5' };
    const { row, epoch } = parsed(later);
    expect(JSON.parse(serialiseSubscription(row, epoch).toString())).toEqual(later);
  });

  it('keeps the name __proto__ in a filter', () => {
    const text = serialiseSubscription(ROW, 1n)
      .toString()
      .replace('"source":"a"', '"data.__proto__":"a","__proto__":"b"');
    const { row } = parseSubscription(Buffer.from(text), id);
    expect(serialiseSubscription(row, 1n).toString()).toContain('"__proto__":"b"');
    expect(Object.getPrototypeOf(row.filters[0])).toBe(Object.prototype);
  });

  it.each<[string, Record<string, unknown>]>([
    ['another id than its key', { id: subscriptionId('SU00123', 'other') }],
    ['no owner', { owner: undefined }],
    ['no system', { system: 3 }],
    ['types that are no patterns', { types: ['a..b'] }],
    ['a filter of a dialect that this version does not know', { filters: [{ sql: 'x' }] }],
    ['a filter with two dialects', { filters: [{ exact: {}, prefix: {} }] }],
    ['a filter with a value that is no text', { filters: [{ exact: { id: 3 } }] }],
    ['a filter within one that is none', { filters: [{ not: { all: [3] } }] }],
    ['a condition on units that this version does not know', { units: { class: 'I' } }],
    ['a target that this version does not know', { target: { kind: 'queue' } }],
    ['a webhook without address', { target: { kind: 'webhook', mode: 'batch', data: 'json' } }],
    ['a state that this version does not know', { state: 'asleep' }],
    ['a version that is no number', { version: '3' }],
    ['a secret without a seal', { secrets: [{}] }],
    ['a secret that ends at no time', { secrets: [{ sealed: 'a', validUntil: 'soon' }] }],
    ['no time', { createdAt: undefined }],
    ['no test', { test: undefined }],
    ['an epoch that is no number', { epoch: 3 }],
  ])('with %s is none', (_what, more) => {
    expect(() => parsed({ ...ROW, ...more })).toThrow(TypeError);
  });

  it.each(['null', '[]', '3', '"x"', '{}'])('%s is none', (text) => {
    expect(() => parseSubscription(Buffer.from(text), id)).toThrow(TypeError);
  });
  it('nor is what is no JSON', () => {
    expect(() => parseSubscription(Buffer.from('{"id"'), id)).toThrow(SyntaxError);
  });
});
