import type { Outcome, Policy } from './types.js';

/**
 * What the answers say of the target as a whole: how many attempts may run (slow start), until when it wants nothing (Retry-After), and whether it is down (R8.2).
 * `F`: what a failed attempt is remembered by.
 */
export class TargetState<F> {
  readonly #policy: Policy;
  readonly #random: () => number;
  window: number;
  inFlight = 0;
  #successes = 0;
  #halvedAt = -Infinity;
  /** Nothing starts before this time. */
  #notBefore = 0;
  down = false;
  #probing = false;
  #probeAt = 0;
  #probeWait = 0;
  /** Failures since the last success, at most `downAttempts`. */
  #failures: { readonly what: F; readonly subjects: readonly string[] }[] = [];

  constructor(policy: Policy, random: () => number) {
    this.#policy = policy;
    this.#random = random;
    this.window = policy.probes ? policy.windowStart : policy.windowMax;
  }

  mayStart(now: number): boolean {
    if (now < this.#notBefore) return false;
    return this.down ? !this.#probing && now >= this.#probeAt : this.inFlight < this.window;
  }

  /** When `mayStart` becomes true; undefined: only the end of an attempt makes it so. */
  startAt(): number | undefined {
    if (this.down) return this.#probing ? undefined : Math.max(this.#notBefore, this.#probeAt);
    return this.inFlight < this.window ? this.#notBefore : undefined;
  }

  started(): void {
    this.inFlight++;
    this.#probing = this.down;
  }

  /** The attempt was not made. */
  released(probe: boolean): void {
    this.inFlight--;
    if (probe) this.#probing = false;
  }

  /** true: the target was down and is up again. */
  delivered(): boolean {
    this.inFlight--;
    const up = this.down;
    if (this.#failures.length > 0) this.#failures = [];
    if (up) {
      this.down = this.#probing = false;
      this.window = this.#policy.windowStart;
      this.#successes = 0;
    } else if (++this.#successes >= this.window) {
      this.window = Math.min(this.window * 2, this.#policy.windowMax);
      this.#successes = 0;
    }
    return up;
  }

  /** The failures that led to it, when this one shows that the target is down; they say nothing of their events. */
  failed(
    outcome: Outcome,
    what: F,
    subjects: readonly string[],
    probe: boolean,
    now: number,
  ): readonly F[] | undefined {
    this.inFlight--;
    if (outcome.kind === 'delivered') return undefined;
    const { retryAfterMs, status, kind } = outcome;
    const wished = Math.min(retryAfterMs ?? 0, this.#policy.retryAfterMaxMs);
    this.#notBefore = Math.max(this.#notBefore, now + wished);
    this.#successes = 0;
    if (!this.#policy.probes) return undefined;
    if (
      kind === 'failed' &&
      (status === undefined || status === 429 || status >= 500) &&
      now >= this.#halvedAt + 1000
    ) {
      this.#halvedAt = now;
      this.window = Math.max(1, Math.floor(this.window / 2));
    }
    if (probe) {
      this.#probing = false;
      this.#probeLater(now, Math.min(this.#probeWait * 2, this.#policy.probeMaxMs));
      return undefined;
    }
    if (this.down) return undefined;
    this.#failures.push({ what, subjects });
    if (this.#failures.length > this.#policy.downAttempts) this.#failures.shift();
    if (kind !== 'unreachable' && !this.#allFailed()) return undefined;
    this.down = true;
    this.#probeLater(now, this.#policy.probeMs);
    const led = this.#failures.map((f) => f.what);
    this.#failures = [];
    return led;
  }

  #allFailed(): boolean {
    if (this.#failures.length < this.#policy.downAttempts) return false;
    return new Set(this.#failures.flatMap((f) => f.subjects)).size >= this.#policy.downSubjects;
  }

  #probeLater(now: number, wait: number): void {
    this.#probeWait = wait;
    this.#probeAt = now + jittered(wait, this.#policy.jitter, this.#random);
  }
}

export function jittered(ms: number, share: number, random: () => number): number {
  return Math.round(ms * (1 - share + 2 * share * random()));
}
