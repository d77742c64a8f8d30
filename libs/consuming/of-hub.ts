import { UnitFault } from '#sdk';
import { ConsumerFault } from './fault.js';
import type { BatchOptions, HandlerOptions } from './handler.js';

/** Time of an attempt where a subscription of the hub gives the events, ms, and the longest: an attempt ends within a lease, which holds for a minute at most. */
export const HUB_TIMEOUT_MS = 20_000;
const HUB_MAX_TIMEOUT_MS = 54_000;
/** How long all waits between the attempts of one lease may take together, ms. */
const MAX_WAITS_MS = 20_000;

export interface Waits {
  readonly attempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

/** Throws `handler_option_unfit` for what a subscription of the hub decides, or cannot do. */
export function checkOfHub(type: string, options: HandlerOptions | BatchOptions, waits: Waits): void {
  const unfit = (detail: string): ConsumerFault => {
    const { message } = new UnitFault('ConsumerFault', 'handler_option_unfit', `${type}: ${detail}`);
    return new ConsumerFault('handler_option_unfit', message);
  };
  if ('parkedMs' in options && options.parkedMs !== undefined) throw unfit(`parkedMs ${options.parkedMs}`);
  if ((options.timeoutMs ?? 0) > HUB_MAX_TIMEOUT_MS)
    throw unfit(`timeoutMs ${options.timeoutMs} > ${HUB_MAX_TIMEOUT_MS}`);
  let sum = 0;
  for (let n = 1; n < waits.attempts && sum <= MAX_WAITS_MS; n++)
    sum += Math.min(waits.maxBackoffMs, waits.backoffMs * 2 ** Math.min(n - 1, 20));
  if (sum > MAX_WAITS_MS) throw unfit(`attempts ${waits.attempts}, waits > ${MAX_WAITS_MS} ms`);
}
