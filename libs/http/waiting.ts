import { Fault } from '#faults';
import type { FastifyRequest } from 'fastify';
import type { Places } from './places.js';

export interface WaitHost {
  readonly recheckMs: number;
  /** Aborts when the server begins to drain. */
  readonly closing: AbortSignal;
  readonly places: Places;
  /** Whether the key of this request still holds. */
  holds(req: FastifyRequest): boolean;
}

/**
 * Runs work that may wait for long (a pull, a long poll). Its signal aborts when the reader leaves, the server drains, or the key no longer holds;
 * what the work then answers is given to nobody whose key was revoked meanwhile: Fault unauthenticated. Fault too_many_requests.
 */
export async function whileKeyHolds<T>(
  host: WaitHost,
  req: FastifyRequest,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const giveBack = host.places.take(req);
  const over = new AbortController();
  const leave = (): void => {
    over.abort();
  };
  const check = setInterval(() => {
    if (!host.holds(req)) leave();
  }, host.recheckMs);
  const { socket } = req.raw;
  socket.once('close', leave);
  let answer: T;
  try {
    answer = await work(AbortSignal.any([over.signal, host.closing]));
  } finally {
    giveBack();
    clearInterval(check);
    socket.off('close', leave);
  }
  if (!host.holds(req)) throw new Fault('unauthenticated');
  return answer;
}
