import { jittered, pause } from '#concurrency';
import { Fault } from '#faults';
import { ChangeFeed, type FeedCursor } from '#projection';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../cursor.js';
import type { Edge } from '../types.js';
import { NONE } from './paging.js';
import { viewOf, type StateDoorDeps, type ViewRequest } from './state-parts.js';

const FEED = z.strictObject({
  /** The view; absent in cursors of earlier versions. */
  v: z.string().optional(),
  g: z.int(),
  o: z
    .string()
    .max(8_000)
    .regex(/^-?\d{1,19}(,-?\d{1,19})*$/),
  /** Absent: no partition was ever emptied, and in cursors of earlier releases. */
  f: z
    .string()
    .max(8_000)
    .regex(/^\d{1,15}(,\d{1,15})*$/)
    .optional(),
});
/** No log has a greater one, and no store can be asked for it. */
const MAX_OFFSET = 2n ** 63n - 1n;
const FEED_WAIT_MS = 10_000;
const RETRY_MS = 1_000;

function feedId(view: string, { generation, after, folds }: FeedCursor): string {
  const anew = folds.some((atMs) => atMs > 0) ? { f: folds.join(',') } : {};
  return encodeCursor({ v: view, g: generation, o: after.join(','), ...anew });
}

function feedCursor(view: string, text: string | string[] | undefined): FeedCursor | undefined {
  if (typeof text !== 'string' || text === '') return undefined;
  const { v, g, o, f } = decodeCursor(text, FEED);
  // Offsets of other streams: changes would be passed over.
  if (v !== undefined && v !== view) throw new Fault('invalid_cursor');
  const after = o.split(',').map(BigInt);
  if (after.some((offset) => offset < -1n || offset > MAX_OFFSET)) throw new Fault('invalid_cursor');
  return { generation: g, after, folds: f?.split(',').map(Number) ?? after.map(() => 0) };
}

/** Server-sent events of the changes of a view, until the reader disconnects. */
export async function followChanges(
  deps: StateDoorDeps,
  edge: Edge,
  req: ViewRequest,
  reply: FastifyReply,
): Promise<void> {
  edge.query(req, NONE);
  const view = viewOf(deps.reader.views, req.params.view);
  const feed = new ChangeFeed(deps.reader, edge.caller(req), view, feedCursor(view.name, req.headers['last-event-id']));
  const live = edge.sse(req, reply);
  const work = edge.work(req, 'live');
  while (!live.closed.aborted) {
    try {
      await edge.readable(req, live.closed);
      for (const e of await feed.next(FEED_WAIT_MS, live.closed, work)) {
        const id = feedId(view.name, e.cursor);
        // A mark carries only the id with which the reader resumes.
        if (e.kind === 'mark') live.send({ id, event: 'mark', data: '' });
        else if (e.kind === 'gap') live.send({ id, event: 'gap', data: JSON.stringify({ view: view.name }) });
        else if (e.kind === 'entry') live.send({ id, event: 'entry', data: JSON.stringify(e.entry) });
        else
          live.send({
            id,
            event: 'delete',
            data: JSON.stringify({ view: view.name, key: e.key, position: e.position }),
          });
        await live.drained();
      }
    } catch (e) {
      if (live.closed.aborted) return;
      if (!edge.isTransient({ view: view.name }, e)) {
        live.end();
        return;
      }
      // The store is unavailable for now; the reader resumes where it was.
      await pause(jittered(RETRY_MS), live.closed);
    }
  }
}
