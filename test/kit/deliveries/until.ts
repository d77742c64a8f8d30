import { pause } from '#concurrency';

/** Waits for a condition; one that throws is not true yet. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 60_000,
  seen: () => string | Promise<string> = () => '',
): Promise<void> {
  let failed: unknown;
  for (const end = Date.now() + ms; Date.now() < end; await pause(20)) {
    try {
      if (await condition()) return;
    } catch (cause) {
      failed = cause;
    }
  }
  throw new Error(`not within ${ms} ms: ${what} ${await seen()}`, { cause: failed });
}
