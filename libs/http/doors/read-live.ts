import type { Caller } from '#access';
import { jittered, pause } from '#concurrency';
import { isFault, type FaultCode } from '#faults';
import {
  encodeStreamCursor,
  idLine,
  isIncomplete,
  type EventFilter,
  type LiveSink,
  type Reading,
  type StreamCursor,
} from '#reading';
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
/** What a live reader that catches up gets in one write: so much of it waits for the reader, and nothing is kept beside it. */
const PAGE_BYTES = 262_144;
/** After so many records without an event for this reader an empty message carries the cursor, so that a reconnect does not scan them again. */
const CHECKPOINT_RECORDS = 2_000n;
const RETRY_MS = 1_000;
const GAPS: ReadonlySet<FaultCode> = new Set(['offset_out_of_range', 'stream_recreated', 'unknown_cursor']);

/**
 * Server-sent events of a stream until the reader disconnects. The `id` of a message is the cursor of all partitions behind that event. A `gap`
 * message says that older events are no longer kept, that the stream was made again, or that the log ends before the cursor (it was restored from an older
 * backup); reading goes on at the earliest kept event. A `damaged` message names the position of a record that cannot be read any more (R15.7).
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
  let atEnd = live.cursor === undefined && live.from === 'latest';
  while (!sse.closed.aborted) {
    try {
      at ??= await sendGap(sse, live, gap);
      const hung = await hang(edge, sse, live, at, atEnd);
      if (hung !== undefined) {
        at = { ...at, next: hung };
        atEnd = false;
        await sse.drained();
        continue;
      }
      await edge.readable(req, sse.closed);
      ({ at, atEnd } = await sendPage(edge, req, sse, live, at));
    } catch (e) {
      if (sse.closed.aborted) return;
      atEnd = false;
      const gone = gapCode(e);
      if (gone !== undefined) {
        gap = gone;
        at = undefined;
      } else if (edge.isTransient({ stream: stream.name }, e)) await pause(jittered(RETRY_MS), sse.closed);
      else {
        sse.end();
        return;
      }
    }
  }
}

/** Hangs the reader on the tail of the stream until it leaves or is behind. Answers its next offsets; undefined: it is behind already. */
async function hang(
  edge: Edge,
  sse: Sse,
  { reading, stream, caller, filter }: LiveRequest,
  { topicId, next }: StreamCursor,
  atEnd: boolean,
): Promise<readonly bigint[] | undefined> {
  const sink: LiveSink = {
    send: (messages) => sse.sendBytes(messages),
    interrupted: (fault) => void edge.isTransient({ stream: stream.name }, fault),
  };
  const member = reading.hang(caller, { stream, topicId, next }, filter, atEnd, sink);
  if (member === undefined) return undefined;
  sse.onDrained = () => {
    member.resume();
  };
  const leave = (): void => {
    member.leave();
  };
  sse.closed.addEventListener('abort', leave, { once: true });
  try {
    return await member.left;
  } finally {
    sse.onDrained = undefined;
    sse.closed.removeEventListener('abort', leave);
  }
}

/** Sends the `gap` message. Answers the earliest kept place. */
async function sendGap(sse: Sse, { reading, stream }: LiveRequest, code: FaultCode | undefined): Promise<StreamCursor> {
  const earliest = await reading.begin(stream, { from: 'earliest' });
  const data = JSON.stringify({ stream: stream.name, code, from: 'earliest' });
  sse.send({ id: encodeStreamCursor(earliest), event: 'gap', data });
  return earliest;
}

/** Sends one page. Answers the place behind what was sent, and whether that is the end of the stream now. */
async function sendPage(
  edge: Edge,
  req: FastifyRequest,
  sse: Sse,
  live: LiveRequest,
  from: StreamCursor,
): Promise<{ readonly at: StreamCursor; readonly atEnd: boolean }> {
  const { reading, stream, caller, filter } = live;
  const range = { stream, topicId: from.topicId, next: from.next };
  const work = edge.work(req, 'live');
  const budget = { limit: PAGE_EVENTS, pageBytes: PAGE_BYTES, work };
  const page = await reading.readLines(caller, range, filter, budget);
  const sent = [...from.next];
  const messages = page.events.flatMap(({ line, partition, offset }) => {
    sent[partition] = offset + 1n;
    return [idLine(from.stream, from.topicId, sent), line];
  });
  const at = { ...from, next: page.next };
  if (messages.length > 0) {
    sse.sendBytes(messages);
    await sse.drained();
  }
  for (const position of page.damaged)
    if (
      !sse.send({
        id: encodeStreamCursor(at),
        event: 'damaged',
        data: JSON.stringify({ stream: stream.name, position }),
      })
    )
      return { at, atEnd: false };
  if (page.events.length === 0) {
    const scanned = page.next.reduce((sum, n, p) => sum + n - from.next[p]!, 0n);
    if (isIncomplete(page) || scanned > CHECKPOINT_RECORDS) sse.send({ id: encodeStreamCursor(at) });
  }
  return { at, atEnd: page.stopped === 'end' || page.stopped === 'unsettled' };
}

/** The code of a fault that means "what lies behind the cursor is gone": 410 or 412 at the pull door, a `gap` message here. */
function gapCode(e: unknown): FaultCode | undefined {
  return isFault(e) && GAPS.has(e.code) ? e.code : undefined;
}
