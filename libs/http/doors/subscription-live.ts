import type { LiveEvents, LiveReader } from '#delivery';
import { eventText } from '#reading';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Sse } from '../sse.js';
import type { Edge } from '../types.js';

/**
 * Sends a subscription to one connection until either side ends it. The id of a message is a place before which everything was taken: a reader that comes back with it
 * gets what came after, at most the messages of one write again. Messages are taken when the connection has; a message without data moves the id past them.
 */
export async function sendLive(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  id: string,
  live: LiveReader,
): Promise<void> {
  const sse = edge.sse(req, reply);
  const over = AbortSignal.any([sse.closed, live.over]);
  try {
    while (!over.aborted) {
      await edge.readable(req, over);
      const some = await live.next(over);
      if (some !== undefined) await send(edge, req, sse, live, some);
    }
  } catch {
    // The place of the reader is stored, or not: it comes again either way.
  } finally {
    live.left();
  }
  if (live.over.reason === 'taken_over') sse.send({ event: 'taken_over', data: JSON.stringify({ subscription: id }) });
  sse.end();
}

async function send(edge: Edge, req: FastifyRequest, sse: Sse, live: LiveReader, some: LiveEvents): Promise<void> {
  const before = live.cursor();
  const texts = await edge.work(req, 'live').run(async (turn) => {
    const out: string[] = [];
    for (const event of some.events) {
      if (turn.isOver) await turn.next();
      out.push(eventText(event, 'json'));
    }
    turn.scanned('records', out.length);
    return out;
  });
  for (const data of texts) {
    sse.send({ id: before, data });
    await sse.drained();
  }
  if (sse.closed.aborted) return some.back();
  await some.taken();
  sse.send({ id: live.cursor() });
}
