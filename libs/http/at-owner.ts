import { pause } from '#concurrency';
import type { Desks, SubscriptionDesk } from '#delivery';
import { Fault, isFault } from '#faults';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { FORWARDED, passOn, type Forwarder } from './forward.js';
import { goneOf } from './gone.js';

/** How long a request waits for an owner: a courier that stops in order is replaced within 3 s. */
const WAIT_MS = 3_000;
const LOOK_MS = 100;

export interface AtOwnerDeps {
  readonly desks: Desks;
  readonly forwarder: Pick<Forwarder, 'send'>;
  /** How long a request waits for the owner of its partition. @default 3 s */
  readonly waitMs?: number;
}

/**
 * Runs a request at the process that owns its subscription (R9.2): here, or there, to where it is sent on as it is. A request that was sent on once and is not at its
 * owner is `not_owner` (421), and the process that sent it looks again. Fault no_courier: nobody owns the partition for 3 s, or the owner was lost while it worked.
 */
export class AtOwner {
  readonly #deps: AtOwnerDeps;

  constructor(deps: AtOwnerDeps) {
    this.#deps = deps;
  }

  /** The answer of `work` with the desk of this partition; or, from another process, its answer as a stream, with status and headers on the reply. */
  async run<T>(
    partition: number,
    req: FastifyRequest,
    reply: FastifyReply,
    work: (desk: SubscriptionDesk) => Promise<T>,
  ): Promise<T | Readable> {
    const { desks, forwarder, waitMs = WAIT_MS } = this.#deps;
    const wasForwarded = req.headers[FORWARDED] !== undefined;
    const gone = goneOf(req);
    const until = performance.now() + waitMs;
    for (;;) {
      const place = desks.of(partition);
      if (place.kind === 'here') {
        const done = await unlessFenced(work(place.desk));
        if (done !== undefined) return done.answer;
      } else if (place.kind === 'there' && !wasForwarded) {
        const sent = await forwarder.send(req, place.address);
        if (sent.kind === 'answered') return passOn(reply, sent.answer);
        if (sent.kind === 'lost' && !isSafe(req.method))
          throw new Fault('no_courier', { retryAfterMs: 1_000, detail: 'the outcome is not known', cause: sent.cause });
      }
      if (wasForwarded) throw new Fault('not_owner');
      if (performance.now() >= until) throw new Fault('no_courier', { retryAfterMs: 1_000 });
      await pause(LOOK_MS, gone);
      if (gone.aborted) throw gone.reason;
    }
  }
}

/** A fenced desk has written nothing: another process owns its partition. */
async function unlessFenced<T>(work: Promise<T>): Promise<{ readonly answer: T } | undefined> {
  try {
    return { answer: await work };
  } catch (e) {
    if (isFault(e) && e.code === 'fenced') return undefined;
    throw e;
  }
}

const isSafe = (method: string): boolean => method === 'GET' || method === 'HEAD';
