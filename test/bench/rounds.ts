import { cpuSeconds, type Round } from './measure.js';

export const ROUNDS = 5;

/**
 * Runs every variant once to warm up, then ROUNDS times in turn, so that what the machine does beside falls on all alike.
 * Every second round goes backwards.
 */
export async function interleave<K extends string>(
  variants: Readonly<Record<K, () => Promise<Round>>>,
): Promise<Record<K, Round[]>> {
  const names = Object.keys(variants) as K[];
  const found = Object.fromEntries(names.map((n) => [n, []])) as unknown as Record<K, Round[]>;
  for (const name of names) await variants[name]();
  for (let round = 0; round < ROUNDS; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) found[name].push(await variants[name]());
  return found;
}

/** Does the work and takes the CPU time that the process spent meanwhile. */
export async function underTest(
  pid: number,
  work: () => Promise<{ readonly events: number; readonly seconds: number }>,
): Promise<Round> {
  const before = cpuSeconds(pid);
  const { events, seconds } = await work();
  return { events, seconds, cpu: cpuSeconds(pid) - before };
}
