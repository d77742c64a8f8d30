import { ENDLESS, type Limits, type LongWork } from '#limits';
import type { FastifyRequest } from 'fastify';
import { goneOf } from '../gone.js';
import { ownerOf } from '../waiting-quota.js';

/** Work of a list, in turns of the key that asks. Without limits: without turns. */
export function workOf({ limits }: { readonly limits?: Limits }, req: FastifyRequest): LongWork {
  return limits?.workOf(ownerOf(req), 'list', goneOf(req)) ?? { run: (work) => work(ENDLESS) };
}
