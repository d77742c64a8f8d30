import type { FailedOutcome, Policy } from './types.js';

/** Statuses that say more of the sender and the address than of an event: the secret is wrong, or the path. */
const REFUSES_ALL: ReadonlySet<number> = new Set([401, 403, 404]);

/** Lanes whose heads are tried in a row before the wait grows. */
const MOST_PROBED = 60;

export interface FailedAttempt {
  /** Of the first event. */
  readonly lane: string;
  readonly subjects: readonly string[];
  readonly probe: boolean;
}

interface Failure<F> {
  readonly what: F;
  readonly subjects: readonly string[];
  readonly refusesAll: boolean;
}

/** `blamed`: it counts for its event. `up`: so does this one, and it shows that the target, which was down, is up. `down`: it says nothing of its event. */
export type Verdict<F> =
  | { readonly kind: 'blamed' | 'up' }
  | {
      readonly kind: 'down';
      /** Present: this one shows that the target is down, together with these. */
      readonly failures?: readonly F[];
      /** false: it may be that these events alone are refused, so what they have counted stays. */
      readonly isSure?: boolean;
    };

const BLAMED = { kind: 'blamed' } as const;

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
  /** Lanes of probes that were answered since the wait grew. */
  readonly #probed = new Set<string>();
  /** The last wait for a target that answers 429, ms; 0: it does not. */
  #throttleWait = 0;
  /** Failures since the last success, at most `downAttempts`. */
  #failures: Failure<F>[] = [];

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
    if (this.down) this.#probing = true;
  }

  /** The attempt was not made. */
  released(probe: boolean): void {
    this.#ended(probe);
  }

  /** A probe is one until it ends, also when another attempt has shown meanwhile that the target is up. */
  #ended(probe: boolean): void {
    this.inFlight--;
    if (probe) this.#probing = false;
  }

  /** true: the target was down and is up again. */
  delivered(probe: boolean): boolean {
    this.#ended(probe);
    this.#throttleWait = 0;
    if (this.#isUp()) return true;
    if (++this.#successes >= this.window) {
      this.window = Math.min(this.window * 2, this.#policy.windowMax);
      this.#successes = 0;
    }
    return false;
  }

  /** It has answered, and not of itself. true: it was down. */
  #isUp(): boolean {
    if (this.#failures.length > 0) this.#failures = [];
    if (!this.down) return false;
    this.down = false;
    this.window = this.#policy.windowStart;
    this.#successes = 0;
    return true;
  }

  /** It has enough for now (429): nothing starts before it wants more, and nothing counts against the event or the target (R8.2). */
  throttled(retryAfterMs: number | undefined, probe: boolean, now: number): void {
    const { probeMs, probeMaxMs, retryAfterMaxMs, jitter } = this.#policy;
    this.#ended(probe);
    this.#successes = 0;
    // Answers to attempts that ran together are one wish.
    if (now >= this.#notBefore || this.#throttleWait === 0)
      this.#throttleWait = Math.min(Math.max(this.#throttleWait * 2, probeMs), probeMaxMs);
    const wished = Math.min(retryAfterMs ?? 0, retryAfterMaxMs);
    const wait = wished > 0 ? wished : jittered(this.#throttleWait, jitter, this.#random);
    this.#notBefore = Math.max(this.#notBefore, now + wait);
    this.#halve(now);
    if (probe && this.down) this.#probeLater(now, this.#longerWait());
  }

  /** What the failure of an attempt says of the target. */
  failed(outcome: FailedOutcome, what: F, { lane, subjects, probe }: FailedAttempt, now: number): Verdict<F> {
    this.#ended(probe);
    const { retryAfterMs, status, kind } = outcome;
    const wished = Math.min(retryAfterMs ?? 0, this.#policy.retryAfterMaxMs);
    this.#notBefore = Math.max(this.#notBefore, now + wished);
    this.#successes = 0;
    if (!this.#policy.probes) return BLAMED;
    // Who blames the event works.
    if (kind === 'refused') return this.#isUp() ? { kind: 'up' } : BLAMED;
    const isAnswered = kind === 'failed' && status !== undefined && status >= 500;
    if (isAnswered || (kind === 'failed' && status === undefined)) this.#halve(now);
    if (this.down) {
      if (probe) this.#probeLater(now, this.#waitAfterProbe(lane, isAnswered));
      return { kind: 'down' };
    }
    this.#failures.push({ what, subjects, refusesAll: status !== undefined && REFUSES_ALL.has(status) });
    if (this.#failures.length > this.#policy.downAttempts) this.#failures.shift();
    const isSure = kind === 'unreachable' || this.#allFailed();
    if (!isSure && !this.#refusesAll()) return BLAMED;
    this.down = true;
    this.#probed.clear();
    this.#probed.add(lane);
    this.#probeWait = this.#policy.probeMs;
    this.#probeLater(now, this.#probeWait);
    const failures = this.#failures.map((f) => f.what);
    this.#failures = [];
    return { kind: 'down', failures, isSure };
  }

  /** A target that answers may fail for the events of some subjects only: heads of other lanes are tried soon, each once, before the wait grows. */
  #waitAfterProbe(lane: string, isAnswered: boolean): number {
    const isOther = isAnswered && !this.#probed.has(lane) && this.#probed.size < MOST_PROBED;
    if (!isOther) this.#probed.clear();
    this.#probed.add(lane);
    return isOther ? this.#policy.probeMs : this.#longerWait();
  }

  #longerWait(): number {
    return (this.#probeWait = Math.min(this.#probeWait * 2, this.#policy.probeMaxMs));
  }

  #allFailed(): boolean {
    return this.#failures.length >= this.#policy.downAttempts && this.#areOfMany(this.#failures);
  }

  /** The last answers, of several subjects, were those of a target that wants nothing from this sender (ADR 44). */
  #refusesAll(): boolean {
    return this.#areOfMany(this.#failures.slice(this.#failures.findLastIndex((f) => !f.refusesAll) + 1));
  }

  #areOfMany(failures: readonly Failure<F>[]): boolean {
    return new Set(failures.flatMap((f) => f.subjects)).size >= this.#policy.downSubjects;
  }

  /** At most once a second: answers to attempts that ran together are one. */
  #halve(now: number): void {
    if (!this.#policy.probes || now < this.#halvedAt + 1_000) return;
    this.#halvedAt = now;
    this.window = Math.max(1, Math.floor(this.window / 2));
  }

  #probeLater(now: number, wait: number): void {
    this.#probeAt = now + jittered(wait, this.#policy.jitter, this.#random);
  }
}

export function jittered(ms: number, share: number, random: () => number): number {
  return Math.round(ms * (1 - share + 2 * share * random()));
}
