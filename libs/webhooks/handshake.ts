import type { Answer } from './exchange.js';
import { outcomeOf } from './outcome.js';
import type { AttemptOutcome } from './port.js';

/**
 * What a receiver says to the question whether it wants webhooks of this sender (CloudEvents HTTP webhook, section 4).
 * `allowed`: it names the origin, or `*`; at most `perMinute` requests. `refused`: it names others only, or forbids it. `not_supported`: it does not know the
 * question (404, 405, 501, or no such header); whether that is enough is for the caller to decide. `unclear`: no answer that says anything; ask again later.
 */
export type Handshake =
  | { readonly kind: 'allowed'; readonly perMinute?: number }
  | { readonly kind: 'refused' | 'not_supported'; readonly status: number }
  | { readonly kind: 'unclear'; readonly outcome: Exclude<AttemptOutcome, { kind: 'delivered' }> };

/** Statuses of a receiver that knows who asks and does not want it. */
const FORBIDDEN = new Set([401, 403, 410, 451]);

export function handshakeOf(answer: Answer, origin: string, ms: number): Handshake {
  const outcome = outcomeOf(answer, ms);
  if (answer.kind === 'none' || outcome.kind === 'unreachable') {
    return { kind: 'unclear', outcome: outcome as Exclude<AttemptOutcome, { kind: 'delivered' }> };
  }
  const { status, headers } = answer;
  if (FORBIDDEN.has(status)) return { kind: 'refused', status };
  if (outcome.kind === 'failed' && status !== 501 && status !== 404) return { kind: 'unclear', outcome };
  const allowed = headers['webhook-allowed-origin'];
  if (outcome.kind !== 'delivered' || allowed === undefined) return { kind: 'not_supported', status };
  const names = String(allowed)
    .split(',')
    .map((name) => name.trim().toLowerCase());
  if (!names.includes('*') && !names.includes(origin.toLowerCase())) return { kind: 'refused', status };
  const rate = String(headers['webhook-allowed-rate'] ?? '');
  return /^[1-9]\d{0,8}$/.test(rate) ? { kind: 'allowed', perMinute: Number(rate) } : { kind: 'allowed' };
}
