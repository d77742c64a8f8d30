const WORK_US = 100_000;

/** How many times longer work takes now than on a machine that does nothing else; from 1. */
export function slowness(): number {
  const began = performance.now();
  const before = process.cpuUsage();
  for (let used = 0; used < WORK_US;) {
    const { user, system } = process.cpuUsage(before);
    used = user + system;
  }
  return Math.max(1, ((performance.now() - began) * 1_000) / WORK_US);
}
