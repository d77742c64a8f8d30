import { audited, type Caller } from '#access';
import { Fault } from '#faults';
import { subscriptionId, type Subscription, type SubscriptionSpec } from '#subscriptions';
import { Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { texts } from '../texts.js';
import { workOf } from './in-turns.js';
import { NONE, pageOf } from './paging.js';
import { SUBSCRIPTIONS_DOOR, SubscriptionPlaces, type SubscriptionsDoorDeps } from './subscription-desk.js';
import { CHANGE, DRY_RUN, LIST, SPEC, specOf, WHY_GIVEN } from './subscription-forms.js';
import { recorded, standpointOf, type Standpoint } from './subscription-rights.js';

/** Who may look at subscriptions at all; which ones, the door decides. */
const LOOKERS = ['reader', 'operator', 'admin'] as const;

/** Subscriptions: what a unit wants to get, and how. A key with the role reader manages those of its unit; units above look, pause and resume. */
@Controller('v1/subscriptions')
export class SubscriptionsController {
  readonly #places: SubscriptionPlaces;

  constructor(@Inject(SUBSCRIPTIONS_DOOR) private readonly deps: SubscriptionsDoorDeps) {
    this.#places = new SubscriptionPlaces(deps);
  }

  @Post()
  @RouteConfig({
    summary:
      'A new subscription of the unit of this key. The secret of a webhook is in this answer only; with the signature v1a receivers verify with `publicKeys`, which every answer has. `dryRun=true` makes none: how many events of the last week match, with three examples',
    roles: ['reader'],
    query: DRY_RUN,
    body: SPEC,
  })
  async create(
    @CheckedBody() { starts, ...body }: z.output<typeof SPEC>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() { dryRun }: z.output<typeof DRY_RUN>,
  ): Promise<object> {
    const spec = specOf(body);
    await this.#check(spec, caller);
    if (dryRun === 'true') {
      void reply.status(200);
      return { ...(await this.deps.preview(spec, caller, workOf(this.deps, req))) };
    }
    const id = subscriptionId(caller.owner, spec.name);
    return this.#places.atNew(id, { req, reply }, async (desk) => {
      const own = [...this.deps.list.all()].filter(({ owner }) => owner === caller.owner);
      const { most } = this.deps;
      if (own.length >= most) throw new Fault('too_many_subscriptions', { limit: most });
      const { log, now } = this.deps;
      const { owner } = caller;
      const made = await audited(
        { log, now },
        {
          who: caller,
          what: 'subscription.create',
          target: id,
          after: { id, owner, name: spec.name },
        },
        () => desk.create(spec, caller, starts),
        ({ subscription }) => recorded(subscription),
      );
      void reply.header('cache-control', 'no-store').header('etag', tagOf(made.subscription));
      const { subscription, secret } = made;
      return { ...this.#places.shown(subscription, 'owner'), ...(secret === undefined ? {} : { secret }) };
    });
  }

  @Get()
  @RouteConfig({
    summary:
      'Subscriptions of the unit of this key; to operators and admins those of units below too, and to the hub all. How far each is: GET /v1/subscriptions/{id}',
    roles: LOOKERS,
    query: LIST,
  })
  list(
    @CheckedQuery() q: z.output<typeof LIST>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return workOf(this.deps, req).run(async (turn) => {
      const seen: { readonly subscription: Subscription; readonly as: Standpoint }[] = [];
      let looked = 0;
      for (const subscription of this.deps.list.all()) {
        looked++;
        if (turn.isOver) await turn.next();
        if (q.name !== undefined && subscription.name !== q.name) continue;
        if (q.owner !== undefined && subscription.owner !== q.owner) continue;
        const as = standpointOf(caller, subscription, this.deps.units);
        if (as !== undefined) seen.push({ subscription, as });
      }
      turn.scanned('entries', looked);
      const { items, next } = pageOf(
        seen.toSorted((a, b) => (a.subscription.id < b.subscription.id ? -1 : 1)),
        ({ subscription }) => subscription.id,
        q,
      );
      const rows: object[] = [];
      for (const { subscription, as } of items) {
        if (turn.isOver) await turn.next();
        rows.push(this.#places.shown(subscription, as));
      }
      return pageBody(req, reply, 'subscriptions', rows, next);
    });
  }

  @Get(':id')
  @RouteConfig({
    summary:
      'One subscription: how far it is, what runs, is parked, dead or held; its version is the ETag. `status` waiting: the receiver is down, or (`why`: handshake …) has not allowed webhooks yet',
    roles: LOOKERS,
    query: NONE,
  })
  async one(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'above', async (desk, _known, as) => {
      const { subscription, status, ...counts } = await desk.standing(id);
      void reply.header('etag', tagOf(subscription));
      return { ...this.#places.shown(subscription, as, status), ...counts };
    });
  }

  @Patch(':id')
  @RouteConfig({
    summary:
      'Change types, filters, units or target; If-Match: the version that was read. `appliesFrom`: by stream the position in each partition from which it holds; what waits below it, and was due, still comes',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
    body: CHANGE,
  })
  async change(
    @Param('id') id: string,
    @CheckedBody() { why, ...body }: z.output<typeof CHANGE>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    const version = versionOf(req.headers['if-match']);
    const given = specOf(body);
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk, before) => {
      if (before.version !== version) throw new Fault('version_changed', { detail: `version ${before.version}` });
      const { name, types, filters, units, start, test, target, temporary } = before;
      const more = { ...(units === undefined ? {} : { units }), ...(temporary === undefined ? {} : { temporary }) };
      const old = { name, types, filters, start, test, target, ...more };
      await this.#check({ ...old, ...given }, caller);
      const { subscription, appliesFrom } = await this.#places.change(
        caller,
        before,
        { what: 'subscription.change', why, changed: (answer) => answer.subscription },
        () => desk.change(id, version, given),
      );
      void reply.header('etag', tagOf(subscription));
      return { ...this.#places.shown(subscription, 'owner'), appliesFrom };
    });
  }

  @Delete(':id')
  @HttpCode(200)
  @RouteConfig({
    summary: 'Remove a subscription, with its place, its parked events and its dead letters',
    roles: ['reader', 'operator', 'admin'],
    query: WHY_GIVEN,
  })
  async remove(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() { why }: z.output<typeof WHY_GIVEN>,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk, before) => {
      await this.#places.change(caller, before, { what: 'subscription.remove', why }, () => desk.remove(id));
      const { name, owner } = before;
      return { id, name, owner, status: 'removed' };
    });
  }

  async #check(spec: SubscriptionSpec, caller: Caller): Promise<void> {
    const problems = await this.deps.problemsOf(spec, caller);
    if (problems.length > 0) throw new Fault('invalid_request', { problems });
  }
}

const tagOf = ({ version }: Subscription): string => `"${version}"`;

/** The version in If-Match, as the ETag or as the bare number. Faults version_missing, invalid_request. */
function versionOf(header: string | undefined): number {
  if (header === undefined) throw new Fault('version_missing');
  const version = /^(?:"(\d{1,9})"|(\d{1,9}))$/.exec(header.trim());
  if (version === null)
    throw new Fault('invalid_request', { problems: [{ pointer: 'if-match', reason: texts.not_a_version() }] });
  return Number(version[1] ?? version[2]);
}
