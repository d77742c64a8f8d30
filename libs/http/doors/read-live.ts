import type { Caller } from '#access';
import { isFault } from '#faults';
import { decodeStreamCursor, encodeStreamCursor, offsetsOf, type EventFilter, type StreamReader } from '#reading';
import type { StreamInfo } from '#registry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pause } from '../pause.js';
import type { Sse } from '../sse.js';
import type { Edge } from '../types.js';

export interface LiveAsk {
  readonly reader: StreamReader;
  readonly stream: StreamInfo;
  readonly caller: Caller;
  readonly filter: EventFilter;
  readonly copies: boolean;
  readonly cursor: string | undefined;
  readonly from: string;
}

const PAGE = 100;
/** A reader that is shown nothing of many events still moves on, so that he need not scan them again after a cut. */
const MARK_EVERY = 2_000n;
const WAIT_MS = 20_000;
const AGAIN_MS = 1_000;

/**
 * Server-sent events of a stream until the reader leaves. `id` = cursor of all partitions behind that event; a `gap` event tells that history
 * before it is gone. Faults only before the head is written.
 */
export async function followLive(edge: Edge, req: FastifyRequest, reply: FastifyReply, ask: LiveAsk): Promise<void> {
  const { log } = ask.reader.deps;
  const { name, partitions } = ask.stream;
  let topicId = await log.topicId(name);
  let next: readonly bigint[] | undefined;
  let gap: string | undefined;
  if (ask.cursor === undefined) next = await offsetsOf(log, ask.stream, ask.from, 'from');
  else {
    try {
      next = decodeStreamCursor(ask.cursor, name, topicId, partitions).next;
    } catch (e) {
      if (!isGone(e)) throw e;
      gap = (e as { code: string }).code;
    }
  }
  const live = edge.sse(req, reply);
  const idOf = (at: readonly bigint[]): string => encodeStreamCursor({ stream: name, topicId, next: at });
  while (!live.closed.aborted) {
    try {
      if (next === undefined) {
        topicId = await log.topicId(name);
        next = await offsetsOf(log, ask.stream, 'earliest', 'from');
        live.send({
          id: idOf(next),
          event: 'gap',
          data: JSON.stringify({ stream: name, code: gap, from: 'earliest' }),
        });
      }
      next = await step(live, ask, next, idOf);
    } catch (e) {
      if (isGone(e)) {
        gap = (e as { code: string }).code;
        next = undefined;
      } else {
        if (!edge.passes({ stream: name }, e)) {
          live.end();
          return;
        }
        // The log is away for a moment.
        await pause(AGAIN_MS, live.closed);
      }
    }
  }
}

/** One page, sent; waits for more when it was empty. The new place. */
async function step(
  live: Sse,
  ask: LiveAsk,
  from: readonly bigint[],
  idOf: (at: readonly bigint[]) => string,
): Promise<readonly bigint[]> {
  const { reader, stream, caller, filter, copies } = ask;
  const page = await reader.page({ caller, stream, next: from, filter, limit: PAGE, copies, encoding: 'json' });
  const at = [...from];
  for (const e of page.events) {
    at[e.partition] = e.offset + 1n;
    if (!live.send({ id: idOf(at), data: e.text })) return at;
    await live.drained();
  }
  if (page.events.length === 0) {
    const skipped = page.next.reduce((sum, n, p) => sum + n - from[p]!, 0n);
    if (page.incomplete || skipped > MARK_EVERY) live.send({ id: idOf(page.next) });
    if (!page.incomplete) await reader.waitForMore({ stream, next: page.next, filter }, WAIT_MS, live.closed);
  }
  return page.next;
}

/** What a live reader is told as a gap: 410 at the pull door. */
function isGone(e: unknown): boolean {
  return isFault(e) && (e.code === 'offset_out_of_range' || e.code === 'stream_recreated');
}
