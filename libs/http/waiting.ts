import { Fault } from '#faults';
import type { FastifyRequest } from 'fastify';

export interface WaitHost {
  readonly recheckMs: number;
  /** Aborts when the server begins to drain. */
  readonly closing: AbortSignal;
  /** Whether the key of this request still holds. */
  holds(req: FastifyRequest): boolean;
}

/**
 * Runs work that may wait for long (a pull, a long poll). Its signal aborts when the reader leaves, the server drains, or the key no longer holds;
 * what the work then answers is given to nobody whose key was revoked meanwhile: Fault unauthenticated.
 */
export async function whileKeyHolds<T>(
  host: WaitHost,
  req: FastifyRequest,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
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
    clearInterval(check);
    socket.off('close', leave);
  }
  if (!host.holds(req)) throw new Fault('unauthenticated');
  return answer;
}
