import { Fault } from '#faults';
import { Shares, type LimitOwner, type Limits } from '#limits';
import type { FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { ProfileLimits } from './profile.js';

/** The body in one piece, or why it was not taken. */
type Done = (error: Error | null, body?: Buffer) => void;

/**
 * Gives the memory of bytes that nothing reads any more back at once; read again, they are empty. Otherwise a large body stays until the next collection of
 * the whole heap, and V8 makes one for each 64 MB of such memory: all requests wait meanwhile. Of bytes that share their memory with others: nothing is done.
 */
export function giveBack(bytes: unknown): void {
  if (!(bytes instanceof Uint8Array) || !(bytes.buffer instanceof ArrayBuffer)) return;
  if (bytes.byteLength === bytes.buffer.byteLength) bytes.buffer.transfer(0);
}

/** A profile that bounds its bodies by itself: a quarter for one key. */
function sharesOf(maxBytes: number): Shares {
  return new Shares({
    all: { name: 'receiving_bytes', max: maxBytes },
    key: { name: 'receiving_bytes_per_key', max: maxBytes / 4 },
  });
}

/**
 * Receives request bodies. Bytes count against the budgets of key, unit and all as they arrive, until the connection has the answer: a request that tells a
 * length and sends nothing takes nothing from others. Bodies take memory before they are events, so the queue of the log cannot bound them.
 */
export class Receiving {
  readonly #limits: Limits;
  readonly #ofProfile = new Map<ProfileLimits, Shares>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Faults body_too_large, length_mismatch, queue_full. */
  receive(req: FastifyRequest, payload: IncomingMessage, done: Done): void {
    const max = req.route.bodyLimit ?? Number.POSITIVE_INFINITY;
    const told = req.headers['content-length'] === undefined ? undefined : Number(req.headers['content-length']);
    if (told !== undefined && told > max) {
      done(new Fault('body_too_large'));
      return;
    }
    // Nothing would read it: the answer is written, and the rest of the body thrown away.
    if (req.is404) {
      done(null);
      return;
    }
    const shares = this.#sharesFor(req);
    const owner: LimitOwner = { key: req.caller?.keyId ?? '', unit: req.caller?.owner };
    const chunks: Buffer[] = [];
    let bytes = 0;
    let held = 0;
    let isDone = false;
    const fail = (fault: Error): void => {
      payload.off('data', take).off('end', end).off('error', end);
      // What was received is not used: the client may send on for a while, and none of it is kept.
      chunks.length = 0;
      shares.give(owner, held);
      held = 0;
      done(fault);
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > max) {
        fail(new Fault('body_too_large'));
        return;
      }
      const reached = shares.take(owner, chunk.length);
      if (reached !== undefined) {
        fail(this.#limits.faultOf(reached, 'queue_full'));
        return;
      }
      held += chunk.length;
      chunks.push(chunk);
    };
    const joined = (): Buffer => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
      if (chunks.length > 1) for (const chunk of chunks) giveBack(chunk);
      // The handler of the answer's end keeps everything here alive, also these pieces: each body would be held twice.
      chunks.length = 0;
      return body;
    };
    // The listeners go with the request, which is cheaper than to take them off; a connection may still fail behind the end.
    const end = (error?: Error): void => {
      if (isDone) return;
      isDone = true;
      if (error !== undefined) done(error);
      else if (told !== undefined && told !== bytes) done(new Fault('length_mismatch'));
      else done(null, joined());
    };
    payload.on('data', take).on('end', end).on('error', end);
    // Until the connection has the answer: what a body was read to lives as long.
    req.response.on('close', () => shares.give(owner, held));
    payload.resume();
  }

  #sharesFor(req: FastifyRequest): Shares {
    const limits = req.route.config.profile?.limits;
    if (limits?.receivingBytes === undefined) return this.#limits.receiving;
    let shares = this.#ofProfile.get(limits);
    if (shares === undefined) this.#ofProfile.set(limits, (shares = sharesOf(limits.receivingBytes)));
    return shares;
  }
}
