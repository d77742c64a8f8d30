/** Resolves after `ms` (negative: as 0), or as soon as the signal aborts. Never rejects, and leaves no listener or timer behind. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    // Node writes a warning for a negative time, which is what is left of a deadline that has passed.
    const timer = setTimeout(done, Math.max(0, ms));
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** A random time around `ms`, from half of it to one and a half: callers that failed together do not all come back at the same moment. */
export function jittered(ms: number): number {
  return ms * (0.5 + Math.random());
}
