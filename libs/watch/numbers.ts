/** Ranges of missing numbers that are remembered of one source in one stream. Beyond it the oldest are given up. */
const MOST_RANGES = 20;

/** Numbers `from` to `to`, both included, that have not come. */
export interface Missing {
  readonly from: number;
  readonly to: number;
  /** Recorded time of the event that showed that they are missing, ms. */
  readonly sinceMs: number;
}

/** Which numbers (`urutanunit`) of one source in one stream have come (R14.5). `low` and `last` have come, and everything between that is not missing. */
export interface Numbers {
  readonly low: number;
  readonly last: number;
  /** Ascending, apart from each other. */
  readonly missing: readonly Missing[];
}

export interface Counted {
  readonly numbers: Numbers;
  /** The number had come before: the event was sent again under another id, or the counter began anew. */
  readonly isRepeat: boolean;
}

/**
 * Counts one number. The numbers before the first that is ever counted are not missing: nobody knows where the source began. A number that comes late, or that a refused
 * event has had before its correction, fills its gap.
 */
export function count(numbers: Numbers | undefined, n: number, recordedMs: number): Counted {
  if (numbers === undefined) return { numbers: { low: n, last: n, missing: [] }, isRepeat: false };
  const { low, last, missing } = numbers;
  if (n > last) {
    const gap: readonly Missing[] = n > last + 1 ? [{ from: last + 1, to: n - 1, sinceMs: recordedMs }] : [];
    return { numbers: { low, last: n, missing: [...missing, ...gap].slice(-MOST_RANGES) }, isRepeat: false };
  }
  if (n < low) {
    // Two that were sent side by side may lie in the log the other way round.
    const gap: readonly Missing[] = n < low - 1 ? [{ from: n + 1, to: low - 1, sinceMs: recordedMs }] : [];
    return { numbers: { low: n, last, missing: [...gap, ...missing].slice(-MOST_RANGES) }, isRepeat: false };
  }
  const at = missing.findIndex(({ from, to }) => n >= from && n <= to);
  if (at < 0) return { numbers, isRepeat: true };
  const { from, to, sinceMs } = missing[at]!;
  const rest: Missing[] = [];
  if (from < n) rest.push({ from, to: n - 1, sinceMs });
  if (n < to) rest.push({ from: n + 1, to, sinceMs });
  return { numbers: { low, last, missing: missing.toSpliced(at, 1, ...rest).slice(-MOST_RANGES) }, isRepeat: false };
}

/** Gives up the ranges that are missing since before `fromMs`. */
export function giveUp(numbers: Numbers, fromMs: number): Numbers {
  const missing = numbers.missing.filter(({ sinceMs }) => sinceMs >= fromMs);
  return missing.length === numbers.missing.length ? numbers : { ...numbers, missing };
}

/** `5-7, 12`: at most ten ranges, then `…`. */
export function missingText(missing: readonly Missing[]): string {
  const shown = missing.slice(0, 10).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return [...shown, ...(missing.length > 10 ? ['…'] : [])].join(', ');
}

/** The number in `urutanunit`; undefined for anything that is no counter. */
export function numberIn(text: string | undefined): number | undefined {
  if (text === undefined || !/^[1-9]\d{0,15}$/.test(text)) return undefined;
  const n = Number(text);
  return Number.isSafeInteger(n) ? n : undefined;
}
