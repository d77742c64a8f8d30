import { traceOf } from '#event';
import { notAPublisher } from '#access';
import { isFault } from '#faults';
import type { Publishing } from '#publishing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Door, Edge } from '../types.js';
import { FLAG } from './paging.js';
import { sendOutcomes, sendTrials } from './publish-answers.js';
import { FORMS, readForms } from './publish-forms.js';
import { RECEIPT_SHAPE } from './receipts.js';

const PUBLISH = z.strictObject({ partial: FLAG, dryRun: FLAG });
const EVENT_SHAPE = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
});

export interface PublishDoorDeps {
  readonly publishing: Publishing;
}

/** `POST /v1/events`: one event or many, in any of the forms. */
export function publishDoor({ publishing }: PublishDoorDeps): Door {
  return (edge) => {
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
      (req, reply) => publish(publishing, edge, req, reply),
    );
  };
}

async function publish(
  publishing: Publishing,
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  // Most requests have no query: reading one would cost CPU on the hot path.
  const q = req.url.includes('?') ? edge.query(req, PUBLISH) : {};
  const caller = edge.caller(req);
  const { traceparent, tracestate } = req.headers;
  const request = { caller, ...traceOf(traceparent, tracestate), partial: q.partial === 'true' };
  try {
    const { offered, many } = readForms(req, publishing.limits.items);
    if (q.dryRun === 'true') return sendTrials(req, reply, await publishing.tryOut(offered, request), many);
    const outcomes = await publishing.publish(offered, request);
    return sendOutcomes(edge, req, reply, outcomes, { many, partial: request.partial });
  } catch (e) {
    if (isFault(e)) publishing.countRefusal(caller, e);
    throw e;
  }
}
