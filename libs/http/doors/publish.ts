import { atOnce } from '#avro';
import { traceOf } from '#event';
import { notAPublisher } from '#access';
import { isFault } from '#faults';
import { eachInTurns, eachStepInTurns, stepsInTurns, type LongWork } from '#limits';
import type { ItemOutcome, Offered, Publishing, PublishRequest } from '#publishing';
import { PageText } from '#reading';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { giveBack } from '../receiving.js';
import type { Door, Edge } from '../types.js';
import { FLAG } from './paging.js';
import { sendOutcomes, trialText } from './publish-answers.js';
import { FORMS, readForms, readMany, readOne, type FormLimits, type Read } from './publish-forms.js';
import { RECEIPT_SHAPE } from './receipts.js';

const PUBLISH = z.strictObject({ partial: FLAG, dryRun: FLAG });
const EVENT_SHAPE = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
});

/**
 * What is recorded is worked on at once up to this size, some 4 ms: lists that arrive together share appends and index lookups, which turns would pull apart,
 * and that made each event half as dear again.
 */
const AT_ONCE = { events: 64, bytes: 131_072 };
/** Events of a dry run that are in memory as objects at once: with all of a long list, each garbage collection stops everybody for some 20 ms. */
const TRIALS = 64;

export interface PublishDoorDeps {
  readonly publishing: Publishing;
}

/** `POST /v1/events`: one event or many, in any of the forms. */
export function publishDoor({ publishing }: PublishDoorDeps): Door {
  return (edge) => {
    const { values } = edge.budgets;
    const door: PublishDoor = {
      publishing,
      edge,
      limits: {
        ...publishing.limits,
        names: { object: values.event_names_per_object, all: values.event_names },
        reached: (limit) => edge.budgets.count(limit),
      },
    };
    edge.app.post(
      '/v1/events',
      {
        config: {
          summary: `Publish one event or many: ${FORMS.join(', ')}`,
          query: PUBLISH,
          body: EVENT_SHAPE,
          answer: RECEIPT_SHAPE,
          // Before the body: a key that may not publish takes no room from those that may.
          admit: (caller) => {
            if (caller.roles.has('publisher')) return;
            const fault = notAPublisher();
            publishing.countRefusal(caller, fault);
            throw fault;
          },
        },
        errorHandler: (e, req, reply) => {
          // The edge refused the body before it was read as events: counted like every other refusal of the publisher.
          if (req.caller !== undefined && isFault(e) && e.code === 'body_too_large')
            publishing.countRefusal(req.caller, e);
          void edge.sendFault(req, reply, e);
        },
      },
      (req, reply) => publish(door, req, reply),
    );
  };
}

interface PublishDoor {
  readonly publishing: Publishing;
  readonly edge: Edge;
  readonly limits: FormLimits;
}

type Answer = (req: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
type Request = PublishRequest & { readonly partial: boolean };

/** A long list or a large event is read, checked and answered in turns, so that other keys are served in between. */
function publishMany(door: PublishDoor, request: Request, read?: Read): Answer {
  const { publishing, edge } = door;
  return async (req, reply) => {
    const work = edge.work(req, 'batch');
    const checkRoom = (count: number): void => publishing.checkRoom(request.caller, count);
    const { offered, many } = await readInTurns(door, work, req, read, checkRoom);
    // The events of a list have nothing of its bytes; a single one may be part of them.
    if (many) giveBack(req.body);
    const outcomes = await publishing.publish(offered, { ...request, work });
    return sendOutcomes(edge, req, reply, outcomes, { many, partial: request.partial });
  };
}

/** A dry run of any size counts like a list: it records nothing, so nothing else bounds how many a key sends. */
function tryOut(door: PublishDoor, request: PublishRequest): Answer {
  const { publishing, edge, limits } = door;
  return async (req, reply) => {
    const answer = await edge.work(req, 'list').run(async (turn) => {
      const read = await stepsInTurns(readForms(req, limits), turn);
      publishing.checkSize(read.count);
      const out = new PageText(read.many ? '{"results":[' : '', ',');
      for (let at = 0; at < read.count; at += TRIALS) {
        const count = Math.min(TRIALS, read.count - at);
        const offered = await eachStepInTurns(count, (i) => read.stepsAt(at + i), turn);
        const trials = await publishing.tryOut(offered, request, turn);
        for (const text of await eachInTurns(count, trialText(req, trials), turn)) out.add(text);
      }
      return out.end(read.many ? ']}' : '');
    });
    giveBack(req.body);
    return reply.type('application/json; charset=utf-8').send(answer);
  };
}

/** Events and requests that are short are worked on at once, and the turns of long work let them go first. */
function publishFew({ publishing, edge }: PublishDoor, request: Request, read: Read): Answer {
  return async (req, reply) => {
    const offered: Offered[] = [];
    for (let i = 0; i < read.count; i++) offered.push(read.at(i));
    const { turns } = edge.budgets;
    turns.beginShort();
    let outcomes: readonly ItemOutcome[];
    try {
      outcomes = await publishing.publish(offered, request);
    } finally {
      turns.endShort();
    }
    return sendOutcomes(edge, req, reply, outcomes, { many: read.many, partial: request.partial });
  };
}

function readInTurns(
  { limits }: PublishDoor,
  work: LongWork,
  req: FastifyRequest,
  known?: Read,
  checkRoom?: (count: number) => void,
): Promise<{ readonly offered: readonly Offered[]; readonly many: boolean }> {
  return work.run(async (turn) => {
    const read = known ?? (await stepsInTurns(readForms(req, limits), turn));
    checkRoom?.(read.count);
    return { offered: await eachStepInTurns(read.count, (i) => read.stepsAt(i), turn), many: read.many };
  });
}

function isLarge({ body }: FastifyRequest): boolean {
  return Buffer.isBuffer(body) && body.length > AT_ONCE.bytes;
}

async function publish(door: PublishDoor, req: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const { publishing, edge } = door;
  // Most requests have no query: reading one would cost CPU on the hot path.
  const q = req.url.includes('?') ? edge.query(req, PUBLISH) : {};
  const caller = edge.caller(req);
  const { traceparent, tracestate } = req.headers;
  const request = { caller, ...traceOf(traceparent, tracestate), partial: q.partial === 'true' };
  try {
    return await answerTo(door, req, request, q.dryRun === 'true')(req, reply);
  } catch (e) {
    if (isFault(e)) publishing.countRefusal(caller, e);
    throw e;
  }
}

function answerTo(door: PublishDoor, req: FastifyRequest, request: Request, isTrial: boolean): Answer {
  if (isTrial) return tryOut(door, request);
  if (isLarge(req)) return publishMany(door, request);
  const read = readOne(req, door.limits) ?? atOnce(readMany(req, door.limits));
  if (read.count > AT_ONCE.events) return publishMany(door, request, read);
  return publishFew(door, request, read);
}
