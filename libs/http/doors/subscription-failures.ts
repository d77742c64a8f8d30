import type { Caller } from '#access';
import type { ListPage, Paging, RedriveOrder, SubscriptionDesk } from '#delivery';
import { Controller, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { NONE } from './paging.js';
import { SUBSCRIPTIONS_DOOR, SubscriptionPlaces, type SubscriptionsDoorDeps } from './subscription-desk.js';
import { DELIVERIES, PAGE, REDRIVE, REDRIVE_BYTES, SKIP } from './subscription-forms.js';

type PageQuery = z.output<typeof PAGE>;
/** Rows of a page when the query names no limit. */
const ROWS = 100;

/**
 * What a subscription could not deliver, and what is done about it. Subjects and answers are for keys of the owner alone; units above see counts
 * (GET /v1/subscriptions/{id}) and are refused here.
 */
@Controller('v1/subscriptions/:id')
export class SubscriptionFailuresController {
  readonly #places: SubscriptionPlaces;

  constructor(@Inject(SUBSCRIPTIONS_DOOR) deps: SubscriptionsDoorDeps) {
    this.#places = new SubscriptionPlaces(deps);
  }

  @Get('deliveries')
  @RouteConfig({
    summary: 'Attempts of the last days, the newest first: which event, which try, what was answered',
    roles: ['reader', 'operator', 'admin'],
    query: DELIVERIES,
  })
  deliveries(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() q: z.output<typeof DELIVERIES>,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk) =>
      paged(req, reply, 'deliveries', await desk.deliveries(id, { subject: q.subject, state: q.state }, pageOf(q))),
    );
  }

  @Get('parked')
  @RouteConfig({
    summary: 'Parked subjects: an event of each could not be delivered, and later ones wait behind it',
    roles: ['reader', 'operator', 'admin'],
    query: PAGE,
  })
  parked(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() q: PageQuery,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk) =>
      paged(req, reply, 'parked', await desk.parked(id, pageOf(q))),
    );
  }

  @Get('dead-letters')
  @RouteConfig({
    summary: 'Dead letters: events whose tries have ended. Their subjects go on after a redrive or a skip',
    roles: ['reader', 'operator', 'admin'],
    query: PAGE,
  })
  deadLetters(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() q: PageQuery,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk) =>
      paged(req, reply, 'deadLetters', await desk.deadLetters(id, pageOf(q))),
    );
  }

  @Post('redrive')
  @HttpCode(202)
  @RouteConfig({
    summary:
      'Deliver parked and dead events again: `ids`, `filter` or `all`; order per subject is kept. `edited` sends other data in the place of one event, to this subscription only. With `dryRun`: 200 with the count, and nothing is sent. `unknown`: ids that no parked or dead event has; 404 when none has one',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
    body: REDRIVE,
    bodyBytes: REDRIVE_BYTES,
  })
  async redrive(
    @Param('id') id: string,
    @CheckedBody() { dryRun, ...body }: z.output<typeof REDRIVE>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    const order = body as RedriveOrder;
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk, before) => {
      if (dryRun) {
        void reply.status(200);
        return { ...(await desk.redriveCount(id, order)) };
      }
      const { why } = order;
      const told = ({ job, count }: Begun): object => ({ job, count });
      const change = { what: 'subscription.redrive', why, facts: factsOf(order), told };
      return { ...(await this.#places.change(caller, before, change, () => desk.redrive(id, order))) };
    });
  }

  @Get('redrives')
  @RouteConfig({
    summary: 'Redrives that run, and the last 20 that have ended, the newest first',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
  })
  jobs(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk) =>
      paged(req, reply, 'redrives', { items: await desk.redriveJobs(id) }),
    );
  }

  @Get('redrives/:job')
  @RouteConfig({
    summary: 'How far a redrive is',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
  })
  job(
    @Param('id') id: string,
    @Param('job') job: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk) => ({
      ...(await desk.redriveJob(id, job)),
    }));
  }

  @Post('skip')
  @HttpCode(200)
  @RouteConfig({
    summary:
      'End parked and dead events as not delivered; the events that they held go on. `skipped`: how many; `unknown`: ids that no parked or dead event has; 404 when none has one',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
    body: SKIP,
  })
  skip(
    @Param('id') id: string,
    @CheckedBody() { ids, why }: z.output<typeof SKIP>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk, before) => {
      const change = { what: 'subscription.skip', why, facts: { ids } };
      return { ...(await this.#places.change(caller, before, change, () => desk.skip(id, ids, why))) };
    });
  }
}

type Begun = Awaited<ReturnType<SubscriptionDesk['redrive']>>;

const pageOf = ({ limit = ROWS, cursor }: PageQuery): Paging => ({ limit, cursor });

function paged(req: FastifyRequest, reply: FastifyReply, name: string, { items, next }: ListPage<unknown>): object {
  return pageBody(req, reply, name, items, next);
}

/** Which events, without the subject of a filter and without edited data: audit records are kept for good. */
function factsOf({ ids, filter, all, edited, rate }: RedriveOrder): object {
  return {
    ...(ids === undefined ? {} : { ids }),
    ...(filter === undefined ? {} : { filter: filter.subject === undefined ? filter : { ...filter, subject: '…' } }),
    ...(all === undefined ? {} : { all }),
    ...(edited === undefined ? {} : { edited: true }),
    rate,
  };
}
