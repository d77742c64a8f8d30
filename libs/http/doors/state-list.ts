import type { Caller } from '#access';
import { Fault } from '#faults';
import { fulfils, parseConditions, type CompiledView, type Condition, type Listed } from '#projection';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { decodeCursor, encodeHiddenCursor } from '../cursor.js';
import type { Edge } from '../types.js';
import { checkedKey, found, viewOf, type StateDoorDeps, type ViewRequest } from './state-parts.js';

export const LIST = z.looseObject({
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z.string().max(8_192).optional(),
  subject: z.string().min(1).max(512).optional(),
});
/** `v`: the view; absent in cursors of earlier versions. `k`: a key, which may be that of an entry that the reader may not see. */
const CURSOR = z.strictObject({ k: z.string().max(2_000), v: z.string().optional() });

/** Entries in key order that match every filter; with `subject` at most the entry of that key, under the same filters and cursor. */
export async function listEntries(
  deps: StateDoorDeps,
  edge: Edge,
  req: ViewRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const view = viewOf(deps.reader.views, req.params.view);
  const { limit, cursor, subject, ...filters } = edge.query(req, LIST);
  const conditions = parseConditions(view, filters, deps.units);
  const caller = edge.caller(req);
  reply.header('cache-control', 'private, no-cache').header('vary', 'authorization');
  const from = cursor === undefined ? undefined : decodeCursor(cursor, CURSOR);
  if (from?.v !== undefined && from.v !== view.name) throw new Fault('invalid_cursor');
  const after = from?.k;
  const page =
    subject === undefined
      ? await edge.work(req).run((turn) => deps.reader.list(caller, view, conditions, limit ?? 100, after, turn))
      : await one(deps, edge, caller, view, conditions, checkedKey(view, subject, 'subject'), after);
  if (!page) throw new Fault('view_rebuilding', { retryAfterMs: 1_000 });
  const next = page.next === undefined ? undefined : encodeHiddenCursor({ k: page.next, v: view.name });
  return edge.page(req, reply, 'entries', page.entries, next, {
    stale: page.stale,
    ...(page.incomplete ? { incomplete: true } : {}),
  });
}

/** The page of a list that holds only one key. */
async function one(
  deps: StateDoorDeps,
  edge: Edge,
  caller: Caller,
  view: CompiledView,
  conditions: readonly Condition[],
  key: string,
  after: string | undefined,
): Promise<Listed> {
  const empty = { entries: [], next: undefined, incomplete: false };
  deps.guesses.check(caller);
  const got = await deps.reader.get(caller, view, key, { signal: edge.closing });
  if (got.kind === 'absent') {
    deps.guesses.missed(caller);
    return { ...empty, stale: false };
  }
  const { view: _view, stale, ...entry } = found(got).entry;
  const behind = after !== undefined && Buffer.compare(Buffer.from(key), Buffer.from(after)) <= 0;
  return { ...empty, stale, entries: behind || !fulfils(entry.value, conditions) ? [] : [entry] };
}
