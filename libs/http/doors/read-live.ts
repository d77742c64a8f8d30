import type { Caller } from '#access';
import { pause } from '#concurrency';
import { isFault, type FaultCode } from '#faults';
import { encodeStreamCursor, isIncomplete, type EventFilter, type Reading, type StreamCursor } from '#reading';
import type { StreamInfo } from '#registry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Sse } from '../sse.js';
import type { Edge } from '../types.js';

export interface LiveRequest {
  readonly reading: Reading;
  readonly stream: StreamInfo;
  readonly caller: Caller;
  readonly filter: EventFilter;
  readonly cursor: string | undefined;
  /** Where reading begins without a cursor. */
  readonly from: string;
}

const PAGE_EVENTS = 100;
/** After so many records without an event for this reader an empty message carries the cursor, so that a reconnect does not scan them again. */
const CHECKPOINT_RECORDS = 2_000n;
const WAIT_MS = 20_000;
const RETRY_MS = 1_000;

/**
 * Server-sent events of a stream until the reader disconnects. The `id` of a message is the cursor of all partitions behind that event. A `gap`
 * message says that older events are no longer kept, or that the stream was made again; reading goes on at the earliest kept event.
 * Faults (invalid_cursor, invalid_query, …) are thrown only before the response head is written.
 */
export async function followLive(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  live: LiveRequest,
): Promise<void> {
  const { reading, stream } = live;
  let at: StreamCursor | undefined;
  let gap: FaultCode | undefined;
  try {
    const { topicId, next } = await reading.begin(stream, live);
    at = { stream: stream.name, topicId, next };
  } catch (e) {
    gap = live.cursor === undefined ? undefined : gapCode(e);
    if (gap === undefined) throw e;
  }
  const sse = edge.sse(req, reply);
  while (!sse.closed.aborted) {
    try {
      at ??= await sendGap(sse, live, gap);
      at = await sendPage(sse, live, at);
    } catch (e) {
      const gone = gapCode(e);
      if (gone !== undefined) {
        gap = gone;
        at = undefined;
      } else if (edge.isTransient({ stream: stream.name }, e)) await pause(RETRY_MS, sse.closed);
      else {
        sse.end();
        return;
      }
    }
  }
}

/** Sends the `gap` message. Answers the earliest kept place. */
async function sendGap(sse: Sse, { reading, stream }: LiveRequest, code: FaultCode | undefined): Promise<StreamCursor> {
  const earliest = await reading.begin(stream, { from: 'earliest' });
  const data = JSON.stringify({ stream: stream.name, code, from: 'earliest' });
  sse.send({ id: encodeStreamCursor(earliest), event: 'gap', data });
  return earliest;
}

/** Sends one page; when it is empty, waits for more. Answers the place behind what was sent. */
async function sendPage(sse: Sse, live: LiveRequest, from: StreamCursor): Promise<StreamCursor> {
  const { reading, stream, caller, filter } = live;
  const page = await reading.readTexts(caller, { stream, next: from.next }, filter, { limit: PAGE_EVENTS }, 'json');
  const sent = [...from.next];
  for (const { text, partition, offset } of page.events) {
    sent[partition] = offset + 1n;
    if (!sse.send({ id: encodeStreamCursor({ ...from, next: sent }), data: text })) return { ...from, next: sent };
    await sse.drained();
  }
  const at = { ...from, next: page.next };
  if (page.events.length === 0) {
    const scanned = page.next.reduce((sum, n, p) => sum + n - from.next[p]!, 0n);
    if (isIncomplete(page) || scanned > CHECKPOINT_RECORDS) sse.send({ id: encodeStreamCursor(at) });
    if (!isIncomplete(page)) await reading.waitForMore({ stream, next: page.next }, filter, WAIT_MS, sse.closed);
  }
  return at;
}

/** The code of a fault that means "older events are gone": 410 at the pull door, a `gap` message here. */
function gapCode(e: unknown): FaultCode | undefined {
  return isFault(e) && (e.code === 'offset_out_of_range' || e.code === 'stream_recreated') ? e.code : undefined;
}
