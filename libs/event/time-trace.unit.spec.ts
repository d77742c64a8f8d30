import { describe, expect, it } from '@jest/globals';
import { isTime, isTraceparent, isTracestate, traceOf } from './index.js';

describe('times and trace contexts', () => {
  it('a time is RFC 3339 with a zone, and its day exists', () => {
    for (const good of ['2021-07-15T09:30:00+07:00', '2021-07-15T02:30:00Z', '2020-02-29t00:00:00.123456z'])
      expect(isTime(good)).toBe(true);
    for (const bad of ['2021-02-29T00:00:00Z', '2021-07-15T09:30:00', '2021-07-15', '2021-07-15T24:30:00Z', ''])
      expect(isTime(bad)).toBe(false);
  });
  it('a traceparent is lower-case hex and not all zero; a tracestate without a valid traceparent is dropped', () => {
    expect(isTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')).toBe(true);
    expect(isTraceparent('00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01')).toBe(false);
    for (const good of ['a=1', 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE', 'x@y=z'])
      expect(isTracestate(good)).toBe(true);
    for (const bad of ['', 'Budi', 'A=1', 'a=', `a=${'x'.repeat(600)}`, 'a=1,,b=2'])
      expect(isTracestate(bad)).toBe(false);
    expect(traceOf('bad', 'a=1')).toEqual({});
  });
});
