import { parsePosition, type Position } from '#event';
import { Fault, verbatim } from '#faults';
import { keyText, type CompiledView, type Got } from '#projection';
import { eventSubject } from '#publishing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Door, Edge } from '../types.js';
import { followChanges } from './state-changes.js';
import { LIST, listEntries } from './state-list.js';
import { NONE } from './paging.js';
import { checkedKey, found, subjectFields, viewOf, type StateDoorDeps, type ViewRequest } from './state-parts.js';
import { because } from '../read-input.js';
import { texts } from '../texts.js';

export type { StateDoorDeps } from './state-parts.js';

type KeyRequest = FastifyRequest<{ Params: { view: string; key: string } }>;

const ONE = z.strictObject({ after: z.string().max(300).optional() });
/** No key has more parts than a few; each member that is given costs CPU before the budget of look-ups is asked. */
const LOOKUP_BYTES = 16_384;
const SUBJECT_MEMBERS = 20;
const LOOKUP = z.strictObject({
  subject: z
    .record(z.string().max(100), z.union([z.string().max(512), z.number()]))
    .refine((subject) => Object.keys(subject).length <= SUBJECT_MEMBERS, because(texts.too_large())),
});
const WAIT_S = 30;
const READ_AFTER_MS = 5_000;

/**
 * `/v1/state/…`: entries of views, each with the position of the last event that changed it (R7), as far as the caller may read them (R12).
 * `stale` marks an answer that may be behind the log. An absent key is 404 only when the view has folded everything that the log held.
 */
export function stateDoor(deps: StateDoorDeps): Door {
  return (edge) => {
    const { app } = edge;
    const oneEntry = (req: ViewRequest, key: string, reply: FastifyReply): Promise<FastifyReply> => {
      const view = viewOf(deps.reader.views, req.params.view);
      return answer(deps, edge, req, reply, view, checkedKey(view, key, 'key'));
    };
    app.get<{ Params: { view: string } }>(
      '/v1/state/:view',
      { config: { summary: 'Entries in key order; ?field=value, ?field.lte=value', query: LIST } },
      (req, reply) => listEntries(deps, edge, req, reply),
    );
    app.post<{ Params: { view: string } }>(
      '/v1/state/:view/lookup',
      {
        config: {
          summary: 'One entry by the clear fields of its subject',
          body: LOOKUP,
          bodyBytes: LOOKUP_BYTES,
          query: ONE,
        },
      },
      async (req, reply) => {
        const view = viewOf(deps.reader.views, req.params.view);
        const key = keyOf(deps, edge, req);
        if (view.pseudonym) await deps.guesses.lookup(edge.caller(req), view.name);
        return answer(deps, edge, req, reply, view, key);
      },
    );
    app.get<{ Params: { view: string } }>(
      '/v1/state/:view/changes',
      {
        config: {
          summary:
            'Server-sent events: entry, delete, gap; Last-Event-ID goes on. The entry whose key is `changes`: ask with `Accept: application/json`; with `*/*` or none the feed opens',
          query: NONE,
        },
      },
      // A key may be named "changes" too: who asks for JSON and not for an event stream wants that entry.
      (req, reply) => (wantsEntry(req) ? oneEntry(req, 'changes', reply) : followChanges(deps, edge, req, reply)),
    );
    app.get<{ Params: { view: string; key: string } }>(
      '/v1/state/:view/:key',
      { config: { summary: 'One entry; ETag, If-None-Match, Prefer: wait=, ?after=', query: ONE } },
      (req: KeyRequest, reply) => oneEntry(req, req.params.key, reply),
    );
  };
}

function wantsEntry(req: FastifyRequest): boolean {
  const accept = req.headers.accept ?? '';
  return /\bapplication\/json\b/i.test(accept) && !/\btext\/event-stream\b/i.test(accept);
}

function keyOf(deps: StateDoorDeps, edge: Edge, req: ViewRequest): string {
  const view = viewOf(deps.reader.views, req.params.view);
  const { subject } = edge.body(req, LOOKUP);
  const names = view.bySubject ? subjectFields(deps.catalogue, view) : view.keyParts.map(([name]) => name);
  const missing = names.filter((n) => !(n in subject));
  const unknown = Object.keys(subject).filter((n) => !names.includes(n));
  if (missing.length + unknown.length > 0) {
    throw new Fault('invalid_request', {
      problems: [
        ...missing.map((n) => ({ pointer: `/subject/${n}`, reason: texts.missing() })),
        ...unknown.map((n) => ({
          pointer: `/subject/${n}`,
          reason: texts.not_part_of_key(),
          expected: verbatim(names.join(' · ')),
        })),
      ],
    });
  }
  if (!view.bySubject) return names.map((n) => keyText(subject[n])).join(':');
  const type = deps.catalogue.newest(view.sources[0]!.type)!;
  const made = eventSubject(type, subject, {
    pseudonymKey: deps.pseudonymKey,
    catalogue: deps.catalogue,
    limits: { subjectBytes: deps.subjectBytes },
  });
  if (made.ok) return made.subject;
  throw new Fault('invalid_request', {
    problems: [{ ...made.problem, pointer: made.problem.pointer.replace('/data/', '/subject/') }],
  });
}

function positionOf(text: string | undefined): Position | undefined {
  if (text === undefined) return undefined;
  const position = parsePosition(text);
  if (position) return position;
  throw new Fault('invalid_query', {
    problems: [{ pointer: '?after', reason: texts.not_a_position(), expected: verbatim('stream/partition/offset') }],
  });
}

/** Milliseconds of `Prefer: wait=<seconds>`, at most 30 s; undefined without it. */
function waitOf(req: FastifyRequest): number | undefined {
  const prefer = req.headers['prefer'];
  const m = /(?:^|[,;\s])wait=(\d{1,6})/i.exec(Array.isArray(prefer) ? prefer.join(',') : (prefer ?? ''));
  return m ? Math.min(WAIT_S, Number(m[1])) * 1_000 : undefined;
}

function sameTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((t) => ['*', `"${tag}"`, `W/"${tag}"`].includes(t.trim()));
}

function answer(
  deps: StateDoorDeps,
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  view: CompiledView,
  key: string,
): Promise<FastifyReply> {
  return deps.guesses.one(edge.caller(req), () => answerOne(deps, edge, req, reply, view, key));
}

async function answerOne(
  deps: StateDoorDeps,
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  view: CompiledView,
  key: string,
): Promise<FastifyReply> {
  const after = positionOf(edge.query(req, ONE).after);
  const caller = edge.caller(req);
  const wait = waitOf(req);
  const until = edge.now() + (wait ?? 0);
  const known = req.headers['if-none-match'];
  const ask = (signal: AbortSignal): Promise<Got> =>
    deps.reader.get(caller, view, key, { ...(after ? { after } : {}), waitMs: wait ?? READ_AFTER_MS, signal });
  const nothingNew = (g: Got): boolean => g.kind === 'absent' || (g.kind === 'entry' && sameTag(known, g.tag));
  /** Long poll: asks again until the entry differs from the ETag that the reader knows, or the wait is over. */
  const askOn = async (signal: AbortSignal): Promise<Got> => {
    let got = await ask(signal);
    while (wait !== undefined && nothingNew(got) && !signal.aborted) {
      const left = until - edge.now();
      if (left <= 0) break;
      await deps.reader.changed(view, key, left, signal);
      got = await ask(signal);
    }
    return got;
  };
  const mayWait = wait !== undefined || after !== undefined;
  const got = await (mayWait ? edge.waiting(req, askOn) : ask(edge.closing));
  if (wait !== undefined) reply.header('preference-applied', `wait=${wait / 1_000}`);
  reply.header('cache-control', 'private, no-cache').header('vary', 'authorization');
  const { tag, entry } = found(got);
  reply.header('etag', `"${tag}"`);
  return sameTag(known, tag) ? reply.code(304).send() : reply.send(entry);
}
