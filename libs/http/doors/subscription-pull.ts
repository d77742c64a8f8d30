import type { CommitOutcome, Pulled, SubscriptionDesk } from '#delivery';
import { parsePosition } from '#event';
import { Fault } from '#faults';
import { eventText, PageText } from '#reading';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { goneOf } from '../gone.js';
import { texts } from '../texts.js';
import type { Door, Edge } from '../types.js';
import { NONE } from './paging.js';
import { sendLive } from './subscription-live.js';
import { SubscriptionPlaces, type SubscriptionsDoorDeps } from './subscription-desk.js';
import { COMMIT, PULL, RELEASE } from './subscription-forms.js';

const JSON_TYPE = 'application/json; charset=utf-8';
/** When the query names none. */
const EVENTS = 100;
const LEASE_S = 30;

type Params = { Params: { id: string } };

/** `POST /v1/subscriptions/{id}/pull`, `…/commit` and `…/release`: events of a pull subscription, leased to the one who asks. Only keys of its owner with the role reader. */
export function subscriptionPullDoor(deps: SubscriptionsDoorDeps): Door {
  const places = new SubscriptionPlaces(deps);
  return (edge) => {
    const { app } = edge;
    app.post<Params>(
      '/v1/subscriptions/:id/pull',
      {
        config: {
          summary:
            'Lease the next events of a pull subscription: `{"events":[…],"lease":{"token","until"}}`, in order per subject; `wait` seconds for a first one, `lease` seconds until what is not committed comes again. Without events the lease is null',
          roles: ['reader'],
          query: PULL,
        },
      },
      async (req, reply) => {
        const q = edge.query(req, PULL);
        const { id } = req.params;
        return places.at(id, { caller: edge.caller(req), req, reply }, 'owner', async (desk, { state }) => {
          const pulled = await pull(edge, req, desk, id, q);
          void reply.header('content-type', JSON_TYPE).header('cache-control', 'no-store');
          if (pulled === undefined)
            return Buffer.from(`{"events":[],"lease":null${state === 'active' ? '' : `,"status":"${state}"`}}`);
          // An answer that did not reach its puller must not hold its subjects until the lease expires.
          reply.raw.once('close', () => {
            if (!reply.raw.writableFinished) void desk.release(id, pulled.token).catch(() => undefined);
          });
          return answerOf(edge, req, pulled);
        });
      },
    );
    app.post<Params>(
      '/v1/subscriptions/:id/commit',
      {
        config: {
          summary:
            'What a lease was sent up to this position, in its partition, is done, and never comes again; `through` may be a list, a position for each partition; `except`: these are not, nor what follows them of their subject. Durable with the answer. 409 lease_lost: the lease has expired or was released',
          roles: ['reader'],
          query: NONE,
          body: COMMIT,
        },
      },
      async (req, reply) => {
        edge.query(req, NONE);
        const { token, through, except } = edge.body(req, COMMIT);
        const { id } = req.params;
        const to = (typeof through === 'string' ? [through] : through).map((text) => parsePosition(text)!);
        const not = except.map((text) => parsePosition(text)!);
        return places.at(id, { caller: edge.caller(req), req, reply }, 'owner', async (desk) =>
          ended(reply, await desk.commit(id, token, to, not)),
        );
      },
    );
    app.post<Params>(
      '/v1/subscriptions/:id/release',
      {
        config: {
          summary:
            'Give a lease back: what it has not committed may be leased again at once, and nothing counts as failed; with `failed`, a code, it counts as a failed try, with `final` as one after which there is none',
          roles: ['reader'],
          query: NONE,
          body: RELEASE,
        },
      },
      async (req, reply) => {
        edge.query(req, NONE);
        const { token, failed, final } = edge.body(req, RELEASE);
        const { id } = req.params;
        return places.at(id, { caller: edge.caller(req), req, reply }, 'owner', async (desk) =>
          ended(reply, await desk.release(id, token, failed, final)),
        );
      },
    );
    app.get<Params>(
      '/v1/subscriptions/:id/live',
      {
        config: {
          summary:
            'Server-sent events of a subscription with the target sse, from where it is (or Last-Event-ID); what the reader has taken counts as delivered. One connection at a time: a newer one takes over, and the older one ends with a message taken_over',
          roles: ['reader'],
          query: NONE,
        },
      },
      async (req, reply) => {
        edge.query(req, NONE);
        const { id } = req.params;
        const last = req.headers['last-event-id'];
        const seen = typeof last === 'string' && last !== '' ? last : undefined;
        return places.at(id, { caller: edge.caller(req), req, reply }, 'owner', async (desk) => {
          await sendLive(edge, req, reply, id, await desk.live(id, seen));
          return reply;
        });
      },
    );
  };
}

async function pull(
  edge: Edge,
  req: FastifyRequest,
  desk: SubscriptionDesk,
  id: string,
  { limit = EVENTS, wait = 0, lease = LEASE_S }: z.output<typeof PULL>,
): Promise<Pulled | undefined> {
  const wish = { limit, waitMs: wait * 1_000, leaseMs: lease * 1_000 };
  if (wait === 0) return desk.pull(id, wish, goneOf(req));
  let pulled: Pulled | undefined;
  try {
    await edge.waiting(req, async (signal) => (pulled = await desk.pull(id, wish, signal)));
    return pulled;
  } catch (e) {
    // The key was revoked meanwhile: nobody is given these events.
    if (pulled !== undefined) await desk.release(id, pulled.token);
    throw e;
  }
}

function answerOf(edge: Edge, req: FastifyRequest, { events, token, until }: Pulled): Promise<Buffer> {
  return edge.work(req).run(async (turn) => {
    const out = new PageText('{"events":[', ',');
    for (const event of events) {
      if (turn.isOver) await turn.next();
      out.add(eventText(event, 'json'));
    }
    turn.scanned('records', events.length);
    return out.end(`],"lease":${JSON.stringify({ token, until: new Date(until).toISOString() })}}`);
  });
}

function ended(reply: FastifyReply, outcome: CommitOutcome): undefined {
  if (outcome === 'foreign')
    throw new Fault('invalid_request', { problems: [{ pointer: '/token', reason: texts.not_its_token() }] });
  if (outcome === 'not_sent')
    throw new Fault('invalid_request', {
      problems: [{ pointer: '/through', reason: texts.not_of_lease(), expected: texts.position_of_lease() }],
    });
  void reply.status(204);
  return undefined;
}
