import { Fault } from '#faults';
import type { FastifyRequest } from 'fastify';

export interface PlaceLimits {
  readonly waitingPerKey: number;
  readonly waitingPerAddress: number;
}

const AGAIN_MS = 5_000;

/** Counts live streams and waiting requests of each key and each remote address, so that none of them can hold every connection. */
export class Places {
  readonly #taken = new Map<string, number>();

  constructor(private readonly limits: PlaceLimits) {}

  /** Answers how to give the place back, once. Fault too_many_requests. */
  take(req: FastifyRequest): () => void {
    const mine: [name: string, limit: number, whose: string][] = [
      [`address ${req.raw.socket.remoteAddress ?? ''}`, this.limits.waitingPerAddress, 'this address'],
    ];
    if (req.caller) mine.push([`key ${req.caller.keyId}`, this.limits.waitingPerKey, 'this key']);
    for (const [name, limit, whose] of mine) {
      if ((this.#taken.get(name) ?? 0) < limit) continue;
      const detail = `${whose} holds ${limit} live streams and waiting requests already`;
      throw new Fault('too_many_requests', { detail, retryAfterMs: AGAIN_MS });
    }
    for (const [name] of mine) this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      for (const [name] of mine) this.#giveBack(name);
    };
  }

  #giveBack(name: string): void {
    const left = (this.#taken.get(name) ?? 0) - 1;
    if (left > 0) this.#taken.set(name, left);
    else this.#taken.delete(name);
  }
}
