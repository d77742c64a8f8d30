import { timeMsOf } from '#event';
import { Fault } from '#faults';
import { texts } from '../texts.js';

/** Milliseconds since 1970 of an RFC 3339 time with a zone; Fault invalid_query at `pointer`. */
export function momentMs(text: string, pointer: string): number {
  const ms = timeMsOf(text);
  if (ms === undefined) {
    throw new Fault('invalid_query', {
      problems: [{ pointer, reason: texts.not_a_time(), expected: texts.time() }],
    });
  }
  return ms;
}
