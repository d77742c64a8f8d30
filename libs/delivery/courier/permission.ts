import type { Subscription } from '#subscriptions';
import type { Handshake } from '#webhooks';
import type { Push } from './push.js';

/** From the first question to the next, then twice as long each time. */
const FIRST_MS = 1_000;
const MOST_MS = 10 * 60_000;

export interface PermissionDeps {
  /** Asks the receiver; never rejects. */
  readonly ask: () => Promise<Handshake>;
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** The answer is there. */
  readonly wake: () => void;
}

/** What asking the receiver of a subscription needs. */
export interface Asking extends Omit<PermissionDeps, 'ask'> {
  readonly push: Pick<Push, 'ask'>;
  readonly signal: AbortSignal;
}

/** undefined: the receiver need not be asked. */
export function permissionFor(subscription: Subscription, { push, signal, ...deps }: Asking): Permission | undefined {
  const { target } = subscription;
  if (target.kind !== 'webhook' || target.handshake !== true) return undefined;
  return new Permission({ ...deps, ask: () => push.ask(subscription, signal) });
}

/**
 * Whether a receiver wants webhooks of this hub (CloudEvents HTTP webhook, section 4): nothing is sent before it has said yes, and no more requests a minute than it
 * allows. A receiver that says no, or nothing, is asked again: after a second, then ever later, at last every ten minutes.
 */
export class Permission {
  readonly #deps: PermissionDeps;
  #why: string | undefined = 'handshake';
  /** ms between two requests. */
  #spaceMs = 0;
  #nextAt = 0;
  #askAt = 0;
  #waitMs = FIRST_MS;
  #isAsking = false;

  constructor(deps: PermissionDeps) {
    this.#deps = deps;
  }

  /** What it waits for: `handshake` (no answer yet), with what the receiver has answered. undefined: it may send. */
  get why(): string | undefined {
    return this.#why;
  }

  /** Whether a request may start now; asks the receiver when it is time to. */
  mayStart(): boolean {
    const now = this.#deps.now();
    if (this.#why === undefined) return now >= this.#nextAt;
    if (!this.#isAsking && now >= this.#askAt) void this.#ask();
    return false;
  }

  /** When to look again, if there is something to send at `due`; undefined: nothing to send, or the answer wakes. */
  lookAgainAt(due: number | undefined): number | undefined {
    if (this.#why === undefined) return due === undefined ? undefined : Math.max(due, this.#nextAt);
    return this.#isAsking ? undefined : this.#askAt;
  }

  /** A request starts. */
  started(): void {
    const now = this.#deps.now();
    this.#nextAt = Math.max(this.#nextAt, now) + this.#spaceMs;
  }

  async #ask(): Promise<void> {
    const { ask, now, random, wake } = this.#deps;
    this.#isAsking = true;
    const answer = await ask();
    this.#isAsking = false;
    if (answer.kind === 'allowed') {
      this.#why = undefined;
      this.#spaceMs = answer.perMinute === undefined ? 0 : 60_000 / answer.perMinute;
    } else {
      this.#why = `handshake ${said(answer)}`;
      this.#askAt = now() + Math.round(this.#waitMs * (0.9 + 0.2 * random()));
      this.#waitMs = Math.min(this.#waitMs * 2, MOST_MS);
    }
    wake();
  }
}

/** `refused 403`, `not_supported 405`, `unclear timeout`. */
function said(answer: Exclude<Handshake, { readonly kind: 'allowed' }>): string {
  if (answer.kind !== 'unclear') return `${answer.kind} ${answer.status}`;
  const { outcome } = answer;
  return `unclear ${'status' in outcome && outcome.status !== undefined ? outcome.status : outcome.reason}`;
}
