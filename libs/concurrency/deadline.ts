/**
 * The outcome of `work`, or of `late()` when `ms` pass first (`late` may answer a value or throw). A rejection of `work` before the deadline is passed on; a later
 * one is ignored, because no caller waits for it any more. The work itself is not cancelled.
 */
export function withDeadline<T, L>(work: PromiseLike<T>, ms: number, late: () => L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      try {
        resolve(late());
      } catch (e) {
        reject(e as Error);
      }
    };
    // After a stall of the event loop, timers run before the answers that have arrived meanwhile: those are looked at first.
    const timer = setTimeout(() => setImmediate(end), ms);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (e: unknown) => {
        clearTimeout(timer);
        reject(e as Error);
      },
    );
  });
}
