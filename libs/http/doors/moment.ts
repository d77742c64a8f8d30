import { timeMsOf } from '#event';
import { Fault } from '#faults';

/** ms since 1970 of an RFC 3339 time with a zone; Fault invalid_query at `pointer`. */
export function momentMs(text: string, pointer: string): number {
  const ms = timeMsOf(text);
  if (ms === undefined) {
    throw new Fault('invalid_query', {
      problems: [{ pointer, reason: 'not a time', expected: '2021-07-15T09:30:00+07:00 (in a URL + is %2B)' }],
    });
  }
  return ms;
}
