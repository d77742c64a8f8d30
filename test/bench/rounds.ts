import { pause } from '#concurrency';
import { cpuSeconds, type Round } from './measure.js';

export const ROUNDS = 5;

/**
 * Runs every variant once to warm up, then ROUNDS times in turn (interleaved), so that other load on the machine affects all variants equally.
 * Every second round runs in reverse order. `before` is awaited before each run.
 */
export async function interleave<K extends string>(
  variants: Readonly<Record<K, () => Promise<Round>>>,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<Record<K, Round[]>> {
  const names = Object.keys(variants) as K[];
  const found = Object.fromEntries(names.map((n) => [n, []])) as unknown as Record<K, Round[]>;
  for (const name of names) {
    await before();
    await variants[name]();
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      await before();
      found[name].push(await variants[name]());
    }
  return found;
}

const CALM_SHARE = 0.1;
const CALM_SAMPLE_MS = 250;
const CALM_WITHIN_MS = 30_000;

/** Waits until a process is idle: it has finished the work of the round before. */
export async function untilCalm(pid: number): Promise<void> {
  for (const end = performance.now() + CALM_WITHIN_MS; performance.now() < end;) {
    const before = cpuSeconds(pid);
    await pause(CALM_SAMPLE_MS);
    if (cpuSeconds(pid) - before <= (CALM_SHARE * CALM_SAMPLE_MS) / 1000) return;
  }
  throw new Error(`process ${pid} is still busy after ${CALM_WITHIN_MS / 1000} s`);
}

/** Runs the work and measures the CPU time that the process under test used meanwhile. */
export async function underTest(
  pid: number,
  work: () => Promise<{ readonly events: number; readonly seconds: number }>,
): Promise<Round> {
  const before = cpuSeconds(pid);
  const { events, seconds } = await work();
  return { events, seconds, cpu: cpuSeconds(pid) - before };
}
