import { traceOf } from '#event';
import { Fault, isFault, type Problem } from '#faults';
import { maySeeOwner, maySeeSource, type ItemResult, type Publishing, type Refusals, type Trial } from '#publishing';
import type { Units } from '#units';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Door, Edge } from '../types.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { FORMS, readForms } from './publish-forms.js';
import { languageOf, problemsIn } from '../problem.js';
import { momentMs } from './moment.js';

const flag = z.enum(['true', 'false']).optional();
const PUBLISH = z.strictObject({ partial: flag, dryRun: flag });
const RECEIPT = z.strictObject({ source: z.string().min(1).max(200), id: z.string().min(1).max(255) });
const REFUSALS = z.strictObject({
  unit: z.string().max(50).optional(),
  type: z.string().max(200).optional(),
  code: z.string().max(60).optional(),
  from: z.string().max(40).optional(),
  until: z.string().max(40).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z.string().max(8_192).optional(),
});
const RECEIPT_SHAPE = z.object({
  id: z.string(),
  source: z.string(),
  type: z.string(),
  stream: z.string(),
  partition: z.number(),
  offset: z.number(),
  position: z.string(),
  digest: z.string(),
  recordedtime: z.string(),
  duplicate: z.boolean(),
});
const EVENT_SHAPE = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
});
const JSON_TYPE = 'application/json; charset=utf-8';

export interface PublishDoorDeps {
  readonly publishing: Publishing;
  readonly refusals: Pick<Refusals, 'list'>;
  readonly units: Units;
  /** Bytes of publish bodies that may be received at once, all connections together; beyond: 503 queue_full. @default 256 MiB */
  readonly receivingBytes?: number;
}

/** `POST /v1/events`, `GET /v1/receipts`, `GET /v1/refusals`. */
export function publishDoor(deps: PublishDoorDeps): Door {
  const { publishing } = deps;
  return (edge) => {
    const { app, limits } = edge;
    const room = receivingRoom(deps.receivingBytes ?? 256 * 1_048_576, limits.batchBytes);
    app.post(
      '/v1/events',
      {
        bodyLimit: limits.batchBytes,
        onRequest: room,
        config: {
          summary: `Publish one event or many: ${FORMS.join(', ')}`,
          query: PUBLISH,
          body: EVENT_SHAPE,
          answer: RECEIPT_SHAPE,
        },
        errorHandler: (e, req, reply) => {
          // Refused by the edge before there were events: counted like any other refusal.
          const code = (e as { code?: unknown }).code;
          if (req.caller !== undefined && code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
            publishing.countRefusal(req.caller, new Fault('body_too_large'));
          }
          void edge.problem(req, reply, e);
        },
      },
      async (req, reply) => {
        // Most requests have no query: do not pay for reading one.
        const q = req.url.includes('?') ? edge.query(req, PUBLISH) : {};
        const caller = edge.caller(req);
        const { traceparent, tracestate } = req.headers;
        const request = { caller, ...traceOf(traceparent, tracestate), partial: q.partial === 'true' };
        try {
          const { offered, many } = readForms(req, publishing.limits.items);
          if (q.dryRun === 'true') return sendTrials(req, reply, await publishing.tryOut(offered, request), many);
          const answer = await publishing.publish(offered, request);
          if (answer.kind === 'done') return sendDone(edge, req, reply, answer.results, many, request.partial);
          if (answer.kind === 'refused') return edge.problem(req, reply, refusal(answer.results, many));
          return sendPutOff(edge, req, reply, answer.results);
        } catch (e) {
          if (isFault(e)) publishing.countRefusal(caller, e);
          throw e;
        }
      },
    );
    app.get(
      '/v1/receipts',
      {
        config: {
          summary: 'The receipt of the first event with this source and id',
          query: RECEIPT,
          answer: RECEIPT_SHAPE,
        },
      },
      async (req, reply) => {
        const { source, id } = edge.query(req, RECEIPT);
        const caller = edge.caller(req);
        // Looked up in any case, so that what is not yours answers like what is not there.
        const receipt = await publishing.receipt(source, id);
        const allowed = maySeeSource(caller, source, deps.units);
        if (receipt === undefined || !allowed) throw new Fault('not_found');
        return reply.header('content-type', JSON_TYPE).send(JSON.stringify(receipt));
      },
    );
    app.get(
      '/v1/refusals',
      {
        config: {
          summary: 'Refused events, counted by unit, type, code and pointer a minute; 7 days',
          query: REFUSALS,
        },
      },
      async (req, reply) => {
        const q = edge.query(req, REFUSALS);
        const caller = edge.caller(req);
        const all = await deps.refusals.list({
          unit: q.unit,
          type: q.type,
          code: q.code,
          fromMs: q.from === undefined || q.from === 'earliest' ? undefined : momentMs(q.from, '?from'),
          untilMs: q.until === undefined ? undefined : momentMs(q.until, '?until'),
        });
        const seen = new Map<string, boolean>();
        const mine = all.filter(({ unit }) => {
          if (!seen.has(unit)) seen.set(unit, maySeeOwner(caller, unit, deps.units));
          return seen.get(unit);
        });
        const placeOf = (r: (typeof mine)[number]): string => [r.minute, r.unit, r.type, r.code, r.pointer].join('\n');
        const after =
          q.cursor === undefined
            ? undefined
            : decodeCursor(q.cursor, z.strictObject({ after: z.string().max(2_000) })).after;
        const from = after === undefined ? 0 : startAfter(mine.map(placeOf), after);
        const rows = mine.slice(from, from + (q.limit ?? 100));
        const last = rows.at(-1);
        const more = last !== undefined && from + rows.length < mine.length;
        return edge.page(req, reply, 'refusals', rows, more ? encodeCursor({ after: placeOf(last) }) : undefined);
      },
    );
  };
}

/** Rows are newest minute first, then ascending: the first place behind `after`, also when that row is gone. */
function startAfter(places: readonly string[], after: string): number {
  const minute = after.slice(0, after.indexOf('\n'));
  const at = places.findIndex((p) => {
    const m = p.slice(0, p.indexOf('\n'));
    return m < minute || (m === minute && p > after);
  });
  return at < 0 ? places.length : at;
}

/** Bodies take memory before they are events: bounded over all connections, and a quarter of that for one key. */
function receivingRoom(max: number, unknownLength: number) {
  let taken = 0;
  const byKey = new Map<string, number>();
  return (req: FastifyRequest, reply: FastifyReply, next: (e?: Error) => void): void => {
    const key = req.caller?.keyId ?? '';
    const own = byKey.get(key) ?? 0;
    const length = req.headers['content-length'];
    const bytes = length === undefined ? unknownLength : Math.min(Number(length), unknownLength);
    if (taken + bytes > max || own + bytes > max / 4) {
      next(new Fault('queue_full', { retryAfterMs: 1_000 }));
      return;
    }
    taken += bytes;
    byKey.set(key, own + bytes);
    reply.raw.once('close', () => {
      taken -= bytes;
      const left = byKey.get(key)! - bytes;
      if (left > 0) byKey.set(key, left);
      else byKey.delete(key);
    });
    next();
  };
}

function sendDone(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  results: readonly ItemResult[],
  many: boolean,
  partial: boolean,
): void {
  if (partial) return edge.json(req, reply, 207, { results: results.map((r) => shown(edge, req, r)) });
  const receipts = results.map((r) => (r as { receipt: object }).receipt);
  const status = results.every((r) => r.status === 200) ? 200 : 201;
  edge.json(req, reply, status, many ? { receipts } : receipts[0]);
}

function shown(edge: Edge, req: FastifyRequest, r: ItemResult): object {
  return 'receipt' in r ? r : { status: r.status, problem: edge.document(req, r.fault) };
}

function sendPutOff(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  results: readonly ItemResult[],
): FastifyReply {
  const off = results.flatMap((r) => ('fault' in r && r.fault.row.status === 503 ? [r.fault] : []));
  const worst = off.find((f) => f.code === 'not_durable') ?? off[0]!;
  const fault = new Fault(worst.code, {
    detail: `${off.length} of ${results.length} events are not certain; send the request again as it is`,
    retryAfterMs: Math.max(...off.map((f) => f.retryAfterMs ?? 1_000)),
  });
  return edge.problem(req, reply, fault, { results: results.map((r) => shown(edge, req, r)) });
}

/** One event: its own fault. A list: one fault for all, with the index of each. */
function refusal(faults: readonly (Fault | undefined)[], many: boolean): Fault {
  if (!many && faults.length === 1) return faults[0]!;
  const problems: Problem[] = [];
  let refused = 0;
  for (const [index, fault] of faults.entries()) {
    if (fault === undefined) continue;
    refused++;
    problems.push(...problemsOf(fault).map((p) => ({ ...p, index })));
  }
  return new Fault('invalid_items', { detail: `${refused} of ${faults.length} events refused`, problems });
}

function problemsOf(fault: Fault): readonly Problem[] {
  if (fault.problems.length === 0) return [{ pointer: '', reason: fault.detail ?? fault.row.en, code: fault.code }];
  return fault.problems.map((p) => ({ ...p, code: p.code ?? fault.code }));
}

function sendTrials(req: FastifyRequest, reply: FastifyReply, trials: readonly Trial[], many: boolean): FastifyReply {
  const language = languageOf(req.headers['accept-language']);
  const results = trials.map((t) =>
    t.ok
      ? {
          type: t.item.type.type,
          stream: t.item.stream,
          subject: t.item.subject,
          partition: t.item.partition,
          problems: [],
        }
      : { problems: problemsIn(language, problemsOf(t.fault)) },
  );
  return reply.header('content-type', JSON_TYPE).send(JSON.stringify(many ? { results } : results[0]));
}
