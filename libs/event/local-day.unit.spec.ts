import { describe, expect, it } from '@jest/globals';
import { localDay, todayOf } from './local-day.js';

const at = (text: string) => Date.parse(text);

describe('the day of a place', () => {
  it('begins at midnight of the zone: WIT two hours before WIB, WIB seven hours before UTC', () => {
    const t = at('2026-11-30T15:00:00Z');
    expect(
      ['Asia/Jayapura', 'Asia/Makassar', 'Asia/Pontianak', 'Asia/Jakarta', 'UTC'].map((z) => localDay(t, z)),
    ).toEqual(['2026-12-01', '2026-11-30', '2026-11-30', '2026-11-30', '2026-11-30']);
    expect(localDay(at('2026-11-30T17:00:00Z'))).toBe('2026-12-01');
    expect(localDay(at('2026-11-30T16:59:59.999Z'))).toBe('2026-11-30');
  });

  it('changes at the very midnight, also when it was asked a millisecond before, and follows a clock that is set back', () => {
    let ms = at('2026-11-30T16:59:59.999Z');
    const today = todayOf(() => ms);
    expect([today(), today('Asia/Jayapura')]).toEqual(['2026-11-30', '2026-12-01']);
    ms += 1;
    expect(today()).toBe('2026-12-01');
    ms -= 1;
    expect(today()).toBe('2026-11-30');
  });

  it('does not change in any zone while the moment is the same, and the moment changes at each midnight', () => {
    let ms = at('2026-11-30T00:00:00Z');
    const today = todayOf(() => ms);
    const days = (): string => ['Asia/Jakarta', 'Asia/Makassar', 'Asia/Jayapura'].map((z) => today(z)).join();
    for (let before = days(), moment = today.moment!(); ms < at('2026-12-02T00:00:00Z'); ms += 20_000) {
      if (today.moment!() === moment) expect(days()).toBe(before);
      moment = today.moment!();
      before = days();
    }
  });
});
