import { Fault } from '#faults';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Memory for request bodies that are being received: bounded over all connections, and a quarter of that for one key, so that one key cannot
 * keep the others out. Bodies take memory before they are events, so the queue of the log cannot bound them.
 */
export class ReceivingMemory {
  #taken = 0;
  readonly #byKey = new Map<string, number>();

  constructor(
    private readonly maxBytes: number,
    /** What a body without Content-Length is counted as: the largest body. */
    private readonly bodyBytes: number,
  ) {}

  /** Counts the body of this request until its connection has the answer. Fault queue_full. */
  take(req: FastifyRequest, reply: FastifyReply): void {
    const bytes = this.#bytesOf(req);
    if (bytes === 0) return;
    const key = req.caller?.keyId ?? '';
    const own = this.#byKey.get(key) ?? 0;
    if (this.#taken + bytes > this.maxBytes || own + bytes > this.maxBytes / 4) {
      throw new Fault('queue_full', { retryAfterMs: 1_000 });
    }
    this.#taken += bytes;
    this.#byKey.set(key, own + bytes);
    reply.raw.once('close', () => {
      this.#taken -= bytes;
      const left = this.#byKey.get(key)! - bytes;
      if (left > 0) this.#byKey.set(key, left);
      else this.#byKey.delete(key);
    });
  }

  #bytesOf(req: FastifyRequest): number {
    const length = req.headers['content-length'];
    if (length !== undefined) return Math.min(Number(length), this.bodyBytes);
    return req.headers['transfer-encoding'] === undefined ? 0 : this.bodyBytes;
  }
}
