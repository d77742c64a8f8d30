import { describe, expect, it } from '@jest/globals';
import { actionOf, blameOf, FAULT_CLASSES, FAULTS, type FaultCode } from '#faults';
import { statusOf } from './status.js';

const codes = Object.keys(FAULTS) as FaultCode[];

describe('the HTTP status of a fault', () => {
  it('is 4xx when the request has to change and 5xx when the hub has to, so that a client can act on the status alone', () => {
    for (const code of codes) expect([code, statusOf(code) < 500 ? 'request' : 'hub']).toEqual([code, blameOf(code)]);
  });

  it('is 408, 429, 500 or 503 for what may be sent again, and every 503 may be sent again', () => {
    for (const code of codes) {
      if (actionOf(code) === 'retryable') expect([408, 429, 500, 503]).toContain(statusOf(code));
      if ([408, 429, 503].includes(statusOf(code))) expect([code, actionOf(code)]).toEqual([code, 'retryable']);
    }
  });

  it('exists for every class, and every class is the class of some code', () => {
    const used = new Set(codes.map((code) => FAULTS[code].class));
    expect([...used].toSorted()).toEqual(Object.keys(FAULT_CLASSES).toSorted());
    for (const code of codes) expect([code, statusOf(code)]).toEqual([code, expect.any(Number)]);
  });
});
