import type { Caller } from '#access';
import { parsePosition } from '#event';
import { Fault, verbatim } from '#faults';
import type { LongWork } from '#limits';
import {
  encodeStreamCursor,
  eventText,
  isIncomplete,
  PageText,
  type EventFilter,
  type EventPage,
  type Reading,
} from '#reading';
import type { StreamInfo } from '#registry';
import type { Units } from '#units';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { nextUrl } from '../page.js';
import type { Door, Edge } from '../types.js';
import type { Guesses } from './guesses.js';
import { FLAG, NONE } from './paging.js';
import { isPseudonym } from './pseudonym.js';
import { followLive } from './read-live.js';
import { texts } from '../texts.js';

const FILTER = {
  type: z.string().max(2_000).optional(),
  subject: z.string().min(1).max(512).optional(),
  unit: z.string().max(50).optional(),
};
const EVENTS = z.strictObject({
  from: z.string().max(300).optional(),
  until: z.string().max(300).optional(),
  ...FILTER,
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z.string().max(8_192).optional(),
  wait: z.coerce.number().min(0).max(30).optional(),
  copies: FLAG,
  encoding: z.enum(['json', 'avro']).optional(),
});
const LIVE = z.strictObject({
  from: z.string().max(300).optional(),
  ...FILTER,
  cursor: z.string().max(8_192).optional(),
  copies: FLAG,
});
const ONE = z.strictObject({ encoding: z.enum(['json', 'avro']).optional() });
const JSON_TYPE = 'application/json; charset=utf-8';

export interface ReadDoorDeps {
  readonly reading: Reading;
  readonly units: Pick<Units, 'get'>;
  readonly guesses: Guesses;
}

/**
 * `GET /v1/streams`, `/v1/streams/{stream}`, `…/events`, `…/live` and `/v1/events/{stream}/{partition}/{offset}`.
 * A stream or event that the caller may not read answers 404, as if it did not exist (R12).
 */
export function readDoor({ reading, units, guesses }: ReadDoorDeps): Door {
  return (edge) => {
    const { app } = edge;
    app.get(
      '/v1/streams',
      { config: { summary: 'Streams that this key may read from', query: NONE } },
      (req, reply) => {
        edge.query(req, NONE);
        const rows = reading.streams(edge.caller(req)).map(({ stream, types }) => ({ ...rowOf(stream), types }));
        return edge.page(req, reply, 'streams', rows, undefined);
      },
    );
    app.get<{ Params: { stream: string } }>(
      '/v1/streams/:stream',
      { config: { summary: 'One stream: types, partitions, how far it reaches', query: NONE } },
      async (req) => {
        edge.query(req, NONE);
        const { stream, types } = reading.stream(edge.caller(req), req.params.stream);
        const ranges = (await reading.extent(stream)).map(({ partition, low, high, settled }) => ({
          partition,
          low: Number(low),
          high: Number(high),
          settled: Number(settled),
        }));
        return { ...rowOf(stream), types, ranges };
      },
    );
    app.get<{ Params: { stream: string } }>(
      '/v1/streams/:stream/events',
      { config: { summary: 'Events of a period, in order per subject; JSON or NDJSON by Accept', query: EVENTS } },
      async (req, reply) => {
        const q = edge.query(req, EVENTS);
        const out = wantsLines(req) ? new PageText('', '\n') : new PageText('{"events":[', ',');
        const { stream } = req.params;
        const { next, page } = await readPage(edge, req, { reading, units }, q, edge.caller(req), stream, out);
        return sendPage(req, reply, page, next, out);
      },
    );
    app.get<{ Params: { stream: string } }>(
      '/v1/streams/:stream/live',
      { config: { summary: 'Server-sent events from now on (or from=, cursor=, Last-Event-ID)', query: LIVE } },
      async (req, reply) => {
        const q = edge.query(req, LIVE);
        const caller = edge.caller(req);
        const { stream } = reading.stream(caller, req.params.stream);
        const filter = filterOf(stream, q, units);
        checkBeginning(q);
        // EventSource reconnects with the same address, so Last-Event-ID counts more than the cursor of the address.
        const last = req.headers['last-event-id'];
        const cursor = typeof last === 'string' && last !== '' ? last : q.cursor;
        await followLive(edge, req, reply, { reading, stream, caller, filter, cursor, from: q.from ?? 'latest' });
        return reply;
      },
    );
    app.get<{ Params: { stream: string; partition: string; offset: string } }>(
      '/v1/events/:stream/:partition/:offset',
      { config: { summary: 'One event by position', query: ONE } },
      async (req, reply) => {
        const { encoding } = edge.query(req, ONE);
        const caller = edge.caller(req);
        const { partition, offset } = req.params;
        const { stream } = reading.stream(caller, req.params.stream);
        const place = parsePosition(`${stream.name}/${partition}/${offset}`);
        if (place === undefined) throw new Fault('not_found');
        const event = await guesses.event(caller, async () => {
          // Made only for a large event: the others are answered at once.
          const work: LongWork = { run: (each) => edge.work(req).run(each) };
          const found = await reading.readOne(caller, stream, place.partition, place.offset, { work });
          if (found === undefined) throw new Fault('not_found');
          return found;
        });
        return reply
          .header('content-type', 'application/cloudevents+json; charset=utf-8')
          .send(eventText(event, encoding ?? 'json'));
      },
    );
  };
}

/** One page of a stream into `out`, long-polled when the query says `wait`, and the cursor text of the next page. */
async function readPage(
  edge: Edge,
  req: FastifyRequest,
  { reading, units }: Pick<ReadDoorDeps, 'reading' | 'units'>,
  q: z.output<typeof EVENTS>,
  caller: Caller,
  name: string,
  out: PageText,
): Promise<{ page: EventPage<number>; next: string }> {
  // First, because a beginning by time is looked for in the log.
  const work = edge.work(req);
  const { stream } = reading.stream(caller, name);
  const filter = filterOf(stream, q, units);
  checkBeginning(q);
  const begin = await reading.begin(stream, q);
  const range = { stream, topicId: begin.topicId, next: begin.next, end: begin.end };
  const limit = q.limit ?? 100;
  const encoding = q.encoding ?? 'json';
  const waitMs = (q.wait ?? 0) * 1_000;
  const budget = { limit, work };
  const page = await (waitMs === 0
    ? reading.readInto(caller, range, filter, budget, encoding, out)
    : edge.waiting(req, (signal) =>
        reading.readInto(caller, range, filter, { ...budget, waitMs, signal }, encoding, out),
      ));
  return { page, next: encodeStreamCursor({ ...begin, next: page.next }) };
}

/** The page as NDJSON when the reader accepts it, with the cursor in a header; else as one JSON object. `out` has begun in that form. */
function sendPage(
  req: FastifyRequest,
  reply: FastifyReply,
  page: EventPage<number>,
  next: string,
  out: PageText,
): FastifyReply {
  const incomplete = isIncomplete(page);
  const { damaged } = page;
  reply.header('link', `<${nextUrl(req.url, next)}>; rel="next"`);
  if (wantsLines(req)) {
    reply.header('content-type', 'application/x-ndjson; charset=utf-8').header('simpul-next', next);
    if (incomplete) reply.header('simpul-incomplete', 'true');
    if (damaged.length > 0) reply.header('simpul-damaged', damaged.join(' '));
    return reply.send(out.end(out.texts > 0 ? '\n' : ''));
  }
  const told = damaged.length > 0 ? `,"damaged":${JSON.stringify(damaged)}` : '';
  const more = `${incomplete ? ',"incomplete":true' : ''}${told}`;
  reply.header('content-type', JSON_TYPE);
  return reply.send(out.end(`],"next":"${next}"${more}}`));
}

/** Fault invalid_query: a cursor is the beginning already. */
export function checkBeginning(q: { readonly cursor?: string | undefined; readonly from?: string | undefined }): void {
  if (q.cursor === undefined || q.from === undefined) return;
  throw new Fault('invalid_query', {
    problems: [{ pointer: '?from', reason: texts.beside_cursor(), expected: texts.one_of_them() }],
  });
}

/** Whether the reader accepts NDJSON. */
export function wantsLines(req: FastifyRequest): boolean {
  return /application\/(x-)?ndjson/i.test(req.headers.accept ?? '');
}

function rowOf(s: StreamInfo): object {
  return { name: s.name, partitions: s.partitions, ordering: s.ordering, subjectForm: s.subjectForm };
}

interface FilterQuery {
  readonly type?: string | undefined;
  readonly subject?: string | undefined;
  readonly unit?: string | undefined;
  readonly copies?: 'true' | 'false' | undefined;
}

/** The filter of a query. Faults: clear_subject_refused (R11: no clear identifier in a URL), invalid_query (a type of another stream). */
function filterOf(stream: StreamInfo, q: FilterQuery, units: Pick<Units, 'get'>): EventFilter {
  if (q.unit !== undefined && q.unit !== 'hub' && !q.unit.startsWith('EXT-') && !units.get(q.unit))
    throw new Fault('invalid_query', {
      problems: [{ pointer: '?unit', reason: texts.unknown_unit(), expected: texts.unit_id() }],
    });
  if (q.subject !== undefined && stream.subjectForm === 'pseudonym' && !isPseudonym(q.subject)) {
    throw new Fault('clear_subject_refused');
  }
  const types = q.type === undefined ? undefined : new Set(q.type.split(','));
  for (const t of types ?? []) {
    if (!stream.types.includes(t)) {
      throw new Fault('invalid_query', {
        problems: [
          { pointer: '?type', reason: texts.not_a_type_of_stream(), expected: verbatim(stream.types.join(' · ')) },
        ],
      });
    }
  }
  return { types, subject: q.subject, unit: q.unit, copies: q.copies === 'true' };
}
