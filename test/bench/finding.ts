import { median, ratioOfRates, ratioPerCpu, type Round } from './measure.js';

/** A limit that the product must keep. */
export interface Bar {
  readonly text: string;
  readonly value: number;
  readonly bar: number;
  /** True: the value must not be above the bar. False: it must not be below. @default false */
  readonly atMost?: boolean;
}

/** The result of one bench: a table, and the values that the product must keep. */
export interface Finding {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** Notes for readers of the bars. */
  readonly notes?: readonly string[];
}

export const HEAD = ['', 'events/s', 'CPU µs an event', 'rates of the rounds'] as const;

/** One row of a table: medians, and the rate of each round to show the spread. */
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
