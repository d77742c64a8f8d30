/** How long publishing took, ms. */
export interface Waits {
  readonly p50: number;
  readonly p99: number;
}

/** Quiet measurements around an attack whose 99th percentiles differ by more than this do not say what is quiet: something else used the machine. */
const CALM_SPREAD = 2;
/** The bar of the project: a publisher waits less than so many times as long as alone. */
const TIMES = 5;

export interface Verdict {
  /** Whether the quiet measurements before and behind the attack agree. */
  readonly isCalm: boolean;
  /** The 99th percentile beside the attack over that of the quiet measurements, and over that beside the control. */
  readonly timesQuiet: number;
  readonly timesControl: number;
  /** What is judged: the p50 and p99 that the publisher must stay below, ms. */
  readonly bound: Waits;
}

/**
 * Judges a publisher beside an attack. On a calm machine by the bar itself: less than five times as long as alone. On another one alone says nothing, so the
 * bar is five times the longer one of alone and beside the control, a process that uses as much CPU as the attacker without a request.
 */
export function verdictOf(quiet: readonly [Waits, Waits], control: Waits, beside: Waits): Verdict {
  const [before, behind] = quiet;
  const isCalm = Math.max(before.p99, behind.p99) <= CALM_SPREAD * Math.min(before.p99, behind.p99);
  const alone = (part: keyof Waits): number => (before[part] + behind[part]) / 2;
  const most = (part: keyof Waits): number =>
    isCalm ? alone(part) : Math.max(before[part], behind[part], control[part]);
  return {
    isCalm,
    timesQuiet: rounded(beside.p99 / alone('p99')),
    timesControl: rounded(beside.p99 / control.p99),
    bound: { p50: TIMES * most('p50'), p99: TIMES * most('p99') },
  };
}

const rounded = (n: number): number => Math.round(n * 10) / 10;
