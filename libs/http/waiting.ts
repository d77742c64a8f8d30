import { Fault } from '#faults';
import type { FastifyRequest } from 'fastify';
import type { WaitingQuota } from './waiting-quota.js';

export interface WaitHost {
  readonly recheckMs: number;
  /** Aborts when the server begins to drain. */
  readonly closing: AbortSignal;
  readonly quota: WaitingQuota;
  /** Whether the credentials of this request are still valid. */
  valid(req: FastifyRequest): boolean;
}

/**
 * Runs work that may wait long (a long poll). Its signal aborts when the client disconnects, the server drains, or the key is revoked.
 * When the key was revoked meanwhile the answer of the work is dropped: Fault unauthenticated. Fault too_many_requests beyond the quota.
 */
export async function whileKeyValid<T>(
  host: WaitHost,
  req: FastifyRequest,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const release = host.quota.acquire(req);
  const over = new AbortController();
  const abort = (): void => {
    over.abort();
  };
  const check = setInterval(() => {
    if (!host.valid(req)) abort();
  }, host.recheckMs);
  const { socket } = req.raw;
  socket.once('close', abort);
  let answer: T;
  try {
    answer = await work(AbortSignal.any([over.signal, host.closing]));
  } finally {
    release();
    clearInterval(check);
    socket.off('close', abort);
  }
  if (!host.valid(req)) throw new Fault('unauthenticated');
  return answer;
}
