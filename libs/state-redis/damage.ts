import { isFault } from '#faults';

/** What a server says when a key holds another type, and Lua when the bytes in it have another form. Never said for lack of memory, rights or a connection. */
const DAMAGE =
  /WRONGTYPE|damaged bucket|attempt to (?:index|call|concatenate|compare|perform|get length)|bad argument|Bad data format|Missing bytes|Extra bytes|data string too short/;

/**
 * Whether a call to a view partition failed because its keys hold what this room has not written: somebody else wrote into them. `e`: a Fault of the client, or
 * what parsing an answer has thrown.
 */
export function isDamage(e: unknown): boolean {
  if (isFault(e)) return e.code === 'state_unavailable' && e.cause instanceof Error && DAMAGE.test(e.cause.message);
  return e instanceof SyntaxError || e instanceof RangeError;
}
