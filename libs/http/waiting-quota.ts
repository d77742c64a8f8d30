import { Fault } from '#faults';
import type { FastifyRequest } from 'fastify';

export interface QuotaLimits {
  readonly waitingPerKey: number;
  readonly waitingPerAddress: number;
}

const RETRY_AFTER_MS = 5_000;

/** Quota of live streams and waiting requests for each key and each remote address, so that none of them can hold every connection. */
export class WaitingQuota {
  readonly #used = new Map<string, number>();

  constructor(private readonly limits: QuotaLimits) {}

  /** Counts this request. Answers its release, which has an effect once. Fault too_many_requests. */
  acquire(req: FastifyRequest): () => void {
    const counters: [name: string, limit: number, owner: string][] = [
      [`address ${req.ip}`, this.limits.waitingPerAddress, 'this address'],
    ];
    if (req.caller) counters.push([`key ${req.caller.keyId}`, this.limits.waitingPerKey, 'this key']);
    for (const [name, limit, owner] of counters) {
      if ((this.#used.get(name) ?? 0) < limit) continue;
      const detail = `${owner} holds ${limit} live streams and waiting requests already`;
      throw new Fault('too_many_requests', { detail, retryAfterMs: RETRY_AFTER_MS });
    }
    for (const [name] of counters) this.#used.set(name, (this.#used.get(name) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      for (const [name] of counters) this.#release(name);
    };
  }

  #release(name: string): void {
    const left = (this.#used.get(name) ?? 0) - 1;
    if (left > 0) this.#used.set(name, left);
    else this.#used.delete(name);
  }
}
