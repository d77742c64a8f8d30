import { median, ratioOfRates, ratioPerCpu, type Round } from './measure.js';

export interface Bar {
  readonly text: string;
  readonly value: number;
  readonly bar: number;
  /** The value may not be above the bar; else not below. */
  readonly atMost?: boolean;
}

/** What one bench found: a table, and the ratios that the product must keep. */
export interface Finding {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** What a reader needs to judge the bars. */
  readonly notes?: readonly string[];
}

export const HEAD = ['', 'events/s', 'CPU µs an event', 'rates of the rounds'] as const;

/** One row of a table: medians, and the rate of each round so that a reader sees the spread. */
export function row(name: string, rounds: readonly Round[]): readonly string[] {
  return [
    name,
    whole(median(rounds.map((r) => r.events / r.seconds))),
    median(rounds.map(cpuMicros)).toFixed(1),
    rounds.map((r) => whole(r.events / r.seconds)).join(' · '),
  ];
}

export function cpuMicros(round: Round): number {
  return (round.cpu * 1e6) / round.events;
}

export function perCpu(text: string, bar: number, ours: readonly Round[], theirs: readonly Round[]): Bar {
  return { text: `${text}, events per CPU second`, value: ratioPerCpu(ours, theirs), bar };
}

export function perSecond(text: string, bar: number, ours: readonly Round[], theirs: readonly Round[]): Bar {
  return { text: `${text}, events a second`, value: ratioOfRates(ours, theirs), bar };
}

export function whole(n: number): string {
  return Math.round(n).toLocaleString('en');
}
