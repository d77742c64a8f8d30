const SEGMENT = /^[a-z0-9][a-z0-9-]*$/;
const MAX_LENGTH = 200;
const ONE = '*';
const REST = '#';

/** Which event types a text stands for. */
export interface TypePattern {
  readonly text: string;
  matches(type: string): boolean;
}

/**
 * Event types by segments: `sdm.pegawai.*`, `sdm.#`. `*` stands for one whole segment, `#` as the last one for all further segments, of which there may be
 * none; anything else for itself. undefined: the text is no pattern. Pure, and the time to match is bounded by the length of the type.
 */
export function typePattern(text: string): TypePattern | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const segments = text.split('.');
  const hasRest = segments.at(-1) === REST;
  const first = hasRest ? segments.slice(0, -1) : segments;
  if (!first.every((s) => s === ONE || SEGMENT.test(s))) return undefined;
  const matches = (type: string): boolean => {
    const given = type.split('.');
    if (hasRest ? given.length < first.length : given.length !== first.length) return false;
    return first.every((s, i) => s === ONE || s === given[i]);
  };
  return { text, matches };
}
