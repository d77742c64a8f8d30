import { expect, it } from '@jest/globals';
import { Limits } from '#limits';
import type { FastifyRequest } from 'fastify';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { giveBack, Receiving } from './receiving.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Writes three pieces of 100 kB, and forgets them. */
async function write(to: PassThrough): Promise<WeakRef<Buffer>[]> {
  const pieces: WeakRef<Buffer>[] = [];
  for (let n = 0; n < 3; n++) {
    const piece = Buffer.alloc(100_000, n);
    pieces.push(new WeakRef(piece));
    await new Promise((resolve) => to.write(piece, resolve));
  }
  return pieces;
}

it('keeps a body once, in one piece, and not the pieces that it came in, until the connection has the answer', async () => {
  const response = new EventEmitter();
  const req = {
    headers: {},
    route: { config: {}, bodyLimit: 1_000_000 },
    response,
    caller: undefined,
  } as unknown as FastifyRequest;
  const payload = new PassThrough();
  const limits = new Limits();
  const received = Promise.withResolvers<Buffer | undefined>();
  new Receiving(limits).receive(req, payload as unknown as IncomingMessage, (_error, body) => received.resolve(body));
  const pieces = await write(payload);
  payload.end();
  const body = await received.promise;
  payload.destroy();
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  expect(pieces.filter((piece) => piece.deref() !== undefined)).toEqual([]);
  expect([body?.length, limits.receiving.held]).toEqual([300_000, 300_000]);
  response.emit('close');
  expect(limits.receiving.held).toBe(0);
});

it('gives the memory of bytes that nothing reads any more back at once, and not that of a pool which others use', () => {
  const large = Buffer.alloc(100_000, 1);
  giveBack(large);
  expect(large).toHaveLength(0);
  const [small, other] = [Buffer.from('satu'), Buffer.from('dua')];
  giveBack(small);
  giveBack(undefined);
  expect([small, other].map(String)).toEqual(['satu', 'dua']);
});
