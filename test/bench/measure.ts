import { readFileSync } from 'node:fs';

const TICKS_A_SECOND = 100;

/** CPU seconds (user and system) of a process and its threads, from /proc. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[mid]! : (sorted[mid - 1]! + sorted[mid]!) / 2;
}

export function quantile(sorted: Float64Array, q: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!;
}

export interface Round {
  readonly events: number;
  readonly seconds: number;
  readonly cpu: number;
}

/** Ratio of events per CPU second, a to b: the median over the pairs of interleaved rounds. */
export function ratioPerCpu(a: readonly Round[], b: readonly Round[]): number {
  return median(a.map((r, i) => r.events / r.cpu / (b[i]!.events / b[i]!.cpu)));
}

/** Ratio of events per second, a to b: the median over the pairs of interleaved rounds. */
export function ratioOfRates(a: readonly Round[], b: readonly Round[]): number {
  return median(a.map((r, i) => r.events / r.seconds / (b[i]!.events / b[i]!.seconds)));
}
