import type { HttpReport, Logger } from './types.js';

/** One refused request: the fields an operator searches by, never data of events. */
export interface RefusedRequest {
  readonly code: string;
  readonly status: number;
  readonly method: string | null;
  /** As declared, `/v1/streams/:stream`; null where no route is, or when the head could not be parsed. */
  readonly route: string | null;
  readonly request: string;
  readonly keyId: string | null;
}

const LINES = 20;
const WINDOW_MS = 1_000;

/** Logs refused requests, at most 20 lines a second (rate limit); the number left out is logged when the second is over. Every one is counted. */
export class RefusedLog {
  #lines = 0;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: Pick<Logger, 'info'>,
    private readonly report: HttpReport,
  ) {}

  add(refused: RefusedRequest): void {
    this.report.refused?.(refused.code);
    this.#timer ??= setTimeout(() => this.#endWindow(), WINDOW_MS).unref();
    if (this.#lines++ < LINES) this.log.info(refused, 'request refused');
    else this.#leftOut++;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#endWindow();
  }

  #endWindow(): void {
    this.#timer = undefined;
    this.#lines = 0;
    if (this.#leftOut > 0) this.log.info({ leftOut: this.#leftOut }, 'request refusals not logged: rate limit');
    this.#leftOut = 0;
  }
}
