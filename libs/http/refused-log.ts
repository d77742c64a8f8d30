import type { HttpReport, Logger } from './types.js';

/** One refused request: what an operator looks for, never data. */
export interface RefusedRequest {
  readonly code: string;
  readonly status: number;
  readonly method: string | null;
  /** As declared, `/v1/streams/:stream`; null where nothing lives, or before there was a request. */
  readonly route: string | null;
  readonly request: string;
  readonly keyId: string | null;
}

const LINES = 20;
const WINDOW_MS = 1_000;

/** A line for each refused request, at most 20 a second; how many more there were is told when the second is over. Each is counted. */
export class RefusedLog {
  #lines = 0;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: Pick<Logger, 'info'>,
    private readonly report: HttpReport,
  ) {}

  tell(refused: RefusedRequest): void {
    this.report.refused?.(refused.code);
    this.#timer ??= setTimeout(() => this.#turn(), WINDOW_MS).unref();
    if (this.#lines++ < LINES) this.log.info(refused, 'a request was refused');
    else this.#leftOut++;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#turn();
  }

  #turn(): void {
    this.#timer = undefined;
    this.#lines = 0;
    if (this.#leftOut > 0) this.log.info({ leftOut: this.#leftOut }, 'more requests were refused');
    this.#leftOut = 0;
  }
}
