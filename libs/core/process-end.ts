import { innermostMessage } from '#faults';
import type { Logger } from '#telemetry';

/** Ends the process when background work of a role cannot go on: the app is closed, then the exit code is 1. */
export class ProcessEnd {
  #failed = false;
  #end: (() => void) | undefined;

  constructor(private readonly logger: Logger) {}

  /** Background work failed for good. Returns at once; only the first call ends the process. */
  fail(work: string, cause: unknown): void {
    this.logger.error({ work, cause: innermostMessage(cause) }, 'background work failed, the process ends');
    if (this.#failed) return;
    this.#failed = true;
    this.#end?.();
  }

  /** Called by the owner of the process. A failure from before is reported at once. */
  onFailure(end: () => void): void {
    this.#end = end;
    if (this.#failed) end();
  }
}
