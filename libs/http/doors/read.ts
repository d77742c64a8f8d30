import { readLevel, sourceOf, type Caller } from '#access';
import { Fault } from '#faults';
import {
  decodeStreamCursor,
  encodeStreamCursor,
  offsetsOf,
  StreamReader,
  type PageAsk,
  type StreamReaderDeps,
} from '#reading';
import type { StreamInfo } from '#registry';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { nextUrl } from '../edge.js';
import type { Door, Edge } from '../types.js';
import { followLive } from './read-live.js';

const FILTER = {
  type: z.string().max(2_000).optional(),
  subject: z.string().min(1).max(512).optional(),
  unit: z.string().max(50).optional(),
};
const flag = z.enum(['true', 'false']).optional();
const EVENTS = z.strictObject({
  from: z.string().max(300).optional(),
  until: z.string().max(300).optional(),
  ...FILTER,
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z.string().max(8_192).optional(),
  wait: z.coerce.number().min(0).max(30).optional(),
  copies: flag,
  encoding: z.enum(['json', 'avro']).optional(),
});
const LIVE = z.strictObject({
  from: z.string().max(300).optional(),
  ...FILTER,
  cursor: z.string().max(8_192).optional(),
  copies: flag,
});
const ONE = z.strictObject({ encoding: z.enum(['json', 'avro']).optional() });
const NONE = z.strictObject({});
const JSON_TYPE = 'application/json; charset=utf-8';

/** `GET /v1/streams…`, `/v1/events/{stream}/{partition}/{offset}`: what a caller may not read looks missing (R12). */
export function readDoor(deps: StreamReaderDeps): Door {
  const reader = new StreamReader(deps);
  return (edge) => {
    const { app } = edge;
    app.get(
      '/v1/streams',
      { config: { summary: 'Streams that this key may read from', query: NONE } },
      (req, reply) => {
        edge.query(req, NONE);
        const caller = edge.caller(req);
        const rows = deps.catalogue.streams().flatMap((s) => {
          const types = readableTypes(deps, caller, s);
          return types.length === 0 ? [] : [{ ...rowOf(s), types }];
        });
        return edge.page(req, reply, 'streams', rows, undefined);
      },
    );
    app.get<{ Params: { stream: string } }>(
      '/v1/streams/:stream',
      { config: { summary: 'One stream: types, partitions, how far it reaches', query: NONE } },
      async (req) => {
        edge.query(req, NONE);
        const stream = found(deps, edge.caller(req), req.params.stream);
        const ranges = await deps.log.describe(stream.name);
        return {
          ...rowOf(stream),
          types: readableTypes(deps, edge.caller(req), stream),
          ranges: ranges.map(({ partition, low, high }) => ({
            partition,
            low: Number(low),
            high: Number(high),
            settled: Number(deps.settled.end(stream.name, partition)),
          })),
        };
      },
    );
    app.get<{ Params: { stream: string } }>(
      '/v1/streams/:stream/events',
      { config: { summary: 'Events of a period, in order per subject; JSON or NDJSON by Accept', query: EVENTS } },
      async (req, reply) => {
        const q = edge.query(req, EVENTS);
        const caller = edge.caller(req);
        const stream = found(deps, caller, req.params.stream);
        const topicId = await deps.log.topicId(stream.name);
        const filter = filterOf(stream, q);
        if (q.cursor !== undefined && q.from !== undefined) throw both('from');
        const cursor =
          q.cursor === undefined ? undefined : decodeStreamCursor(q.cursor, stream.name, topicId, stream.partitions);
        const next = cursor?.next ?? (await offsetsOf(deps.log, stream, q.from ?? 'earliest', 'from'));
        const end =
          cursor?.end ?? (q.until === undefined ? undefined : await offsetsOf(deps.log, stream, q.until, 'until'));
        const ask: PageAsk = {
          caller,
          stream,
          next,
          end,
          filter,
          limit: q.limit ?? 100,
          copies: q.copies === 'true',
          encoding: q.encoding ?? 'json',
        };
        const waitMs = (q.wait ?? 0) * 1_000;
        const page = await (waitMs === 0
          ? reader.page(ask)
          : edge.waiting(req, (signal) => readOrWait(edge, reader, ask, waitMs, signal)));
        const at = encodeStreamCursor({
          stream: stream.name,
          topicId,
          next: page.next,
          ...(end === undefined ? {} : { end }),
        });
        reply.header('link', `<${nextUrl(req.url, at)}>; rel="next"`);
        const texts = page.events.map((e) => e.text);
        if (wantsLines(req)) {
          reply.header('content-type', 'application/x-ndjson; charset=utf-8').header('simpul-next', at);
          if (page.incomplete) reply.header('simpul-incomplete', 'true');
          return reply.send(texts.map((t) => `${t}\n`).join(''));
        }
        reply.header('content-type', JSON_TYPE);
        return reply.send(
          `{"events":[${texts.join(',')}],"next":"${at}"${page.incomplete ? ',"incomplete":true' : ''}}`,
        );
      },
    );
    app.get<{ Params: { stream: string } }>(
      '/v1/streams/:stream/live',
      { config: { summary: 'Server-sent events from now on (or from=, cursor=, Last-Event-ID)', query: LIVE } },
      async (req, reply) => {
        const q = edge.query(req, LIVE);
        const caller = edge.caller(req);
        const stream = found(deps, caller, req.params.stream);
        const filter = filterOf(stream, q);
        const last = req.headers['last-event-id'];
        if (q.cursor !== undefined && q.from !== undefined) throw both('from');
        await followLive(edge, req, reply, {
          reader,
          stream,
          caller,
          filter,
          copies: q.copies === 'true',
          // A browser connects again with the same address: what it has seen since counts.
          cursor: typeof last === 'string' && last !== '' ? last : q.cursor,
          from: q.from ?? 'latest',
        });
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
        const stream = found(deps, caller, req.params.stream);
        if (!/^(0|[1-9]\d{0,5})$/.test(partition) || !/^(0|[1-9]\d{0,18})$/.test(offset)) throw new Fault('not_found');
        const text = await reader.one(
          { caller, stream, encoding: encoding ?? 'json' },
          Number(partition),
          BigInt(offset),
        );
        if (text === undefined) throw new Fault('not_found');
        return reply.header('content-type', 'application/cloudevents+json; charset=utf-8').send(text);
      },
    );
  };
}

async function readOrWait(edge: Edge, reader: StreamReader, ask: PageAsk, waitMs: number, signal: AbortSignal) {
  const deadline = edge.now() + waitMs;
  let page = await reader.page(ask);
  while (page.events.length === 0 && !page.incomplete) {
    const at = { ...ask, next: page.next };
    if (ask.end !== undefined && page.next.every((n, p) => n >= ask.end![p]!)) break;
    if (!(await reader.waitForMore(at, deadline - edge.now(), signal))) break;
    page = await reader.page(at);
  }
  return page;
}

function both(name: string): Fault {
  return new Fault('invalid_query', {
    problems: [{ pointer: `?${name}`, reason: 'stands beside cursor', expected: 'one of them' }],
  });
}

function wantsLines(req: FastifyRequest): boolean {
  return /application\/(x-)?ndjson/i.test(req.headers.accept ?? '');
}

function rowOf(s: StreamInfo): object {
  return { name: s.name, partitions: s.partitions, ordering: s.ordering, subjectForm: s.subjectForm };
}

/** Types of a stream of which this caller can read at least his own events. */
function readableTypes(deps: StreamReaderDeps, caller: Caller, stream: StreamInfo): readonly string[] {
  const own = { source: sourceOf(caller), data: {} };
  return stream.types.filter((name) => {
    const type = deps.catalogue.newest(name);
    return type !== undefined && readLevel(caller, type, own, deps.units) !== 'none';
  });
}

function found(deps: StreamReaderDeps, caller: Caller, name: string): StreamInfo {
  const stream = deps.catalogue.stream(name);
  if (stream === undefined || readableTypes(deps, caller, stream).length === 0) throw new Fault('not_found');
  return stream;
}

interface Filters {
  readonly type?: string | undefined;
  readonly subject?: string | undefined;
  readonly unit?: string | undefined;
}

/** Pseudonyms are 26 characters of base32; anything else could be the clear identifier of a person (R11). */
const PSEUDONYM = /^[a-z2-7]{26}$/;

function filterOf(stream: StreamInfo, q: Filters) {
  if (q.subject !== undefined && stream.subjectForm === 'pseudonym' && !PSEUDONYM.test(q.subject)) {
    throw new Fault('clear_subject_refused');
  }
  const types = q.type === undefined ? undefined : new Set(q.type.split(','));
  for (const t of types ?? []) {
    if (!stream.types.includes(t)) {
      throw new Fault('invalid_query', {
        problems: [{ pointer: '?type', reason: 'not a type of this stream', expected: stream.types.join(' · ') }],
      });
    }
  }
  return { types, subject: q.subject, unit: q.unit };
}
