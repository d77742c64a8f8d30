import { describe, expect, it } from '@jest/globals';
import { lagOf, type SubscriptionRow } from './subscription-rows.js';

const row = (lag?: object): SubscriptionRow => ({ lag }) as unknown as SubscriptionRow;

describe('the lag of a subscription in a list', () => {
  it('is how many events wait and for how long the oldest does, and says when not all of them may be due', () => {
    expect(lagOf(row({ events: 17, seconds: 600 }))).toBe('17 (10 min)');
    expect(lagOf(row({ events: 17, seconds: 600, atMost: true }))).toBe('≤ 17 (10 min)');
    expect([lagOf(row({ events: 0, seconds: 0 })), lagOf(row())]).toEqual(['0', '-']);
  });
});
