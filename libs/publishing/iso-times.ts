/** RFC 3339 UTC of a millisecond. Cached: many events share one. */
export function isoTimes(): (ms: number) => string {
  let last = Number.NaN;
  let text = '';
  return (ms) => {
    if (ms !== last) text = new Date((last = ms)).toISOString();
    return text;
  };
}
