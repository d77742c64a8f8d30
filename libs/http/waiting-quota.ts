import type { Limits, LimitOwner } from '#limits';
import type { FastifyRequest } from 'fastify';

/** For whom a request is counted. The address is the one that a trusted proxy names. */
export function ownerOf(req: FastifyRequest): LimitOwner {
  return { key: req.caller?.keyId, unit: req.caller?.owner, address: req.ip };
}

/** Quota of live streams and waiting requests of each key, unit and address, so that none of them can hold every connection. */
export class WaitingQuota {
  constructor(private readonly limits: Limits) {}

  /** Counts this request. Answers its release, which has an effect once. Fault too_many_requests. */
  acquire(req: FastifyRequest): () => void {
    const owner = ownerOf(req);
    this.limits.check(this.limits.live.take(owner));
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.limits.live.give(owner);
    };
  }
}
