import type { Caller } from '#access';
import { Fault } from '#faults';
import { Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { readBody } from '../read-input.js';
import { texts } from '../texts.js';
import { NONE } from './paging.js';
import { SUBSCRIPTIONS_DOOR, SubscriptionPlaces, type SubscriptionsDoorDeps } from './subscription-desk.js';
import { PAUSE, SEEK, WHY_GIVEN } from './subscription-forms.js';

/** What is done to a subscription: it stands still, goes on, goes to another place, gets another secret. */
@Controller('v1/subscriptions/:id')
export class SubscriptionActsController {
  readonly #places: SubscriptionPlaces;

  constructor(@Inject(SUBSCRIPTIONS_DOOR) deps: SubscriptionsDoorDeps) {
    this.#places = new SubscriptionPlaces(deps);
  }

  @Post('pause')
  @HttpCode(200)
  @RouteConfig({
    summary: 'Deliver nothing more until it is resumed; nothing is lost. Also by an operator or admin of a unit above',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
    body: PAUSE,
  })
  async pause(
    @Param('id') id: string,
    @CheckedBody() { why }: z.output<typeof PAUSE>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'above', async (desk, before, as) => {
      const change = { what: 'subscription.pause', why, changed: same };
      return this.#places.shown(await this.#places.change(caller, before, change, () => desk.pause(id, why)), as);
    });
  }

  @Post('resume')
  @HttpCode(200)
  @RouteConfig({
    summary:
      'Go on at the place where it was paused, or disabled. The body may be absent; an operator or admin of a unit above says why',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
    body: WHY_GIVEN,
  })
  async resume(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    const { why } = req.body === undefined ? {} : readBody(req, WHY_GIVEN);
    return this.#places.at(id, { caller, req, reply }, 'above', async (desk, before, as) => {
      if (as === 'above' && why === undefined)
        throw new Fault('invalid_request', {
          problems: [{ pointer: '/why', reason: texts.missing(), expected: texts.why_from_above() }],
        });
      const change = { what: 'subscription.resume', why, changed: same };
      return this.#places.shown(await this.#places.change(caller, before, change, () => desk.resume(id)), as);
    });
  }

  @Post('seek')
  @HttpCode(200)
  @RouteConfig({
    summary:
      'Go on at another place: earliest, end, a time or a position. `streams`: the positions by partition; `again`: how many events that were delivered come again, `passedOver`: how many that were not never will, the least of it with `incomplete`; parked, dead and held ones stay. With `dryRun` nothing changes',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
    body: SEEK,
  })
  async seek(
    @Param('id') id: string,
    @CheckedBody() { to, dryRun, why }: z.output<typeof SEEK>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk, before) => {
      const seek = (): ReturnType<typeof desk.seek> => desk.seek(id, to, dryRun);
      if (dryRun) return { ...(await seek()), dryRun };
      const change = { what: 'subscription.seek', why, facts: { to } };
      return { ...(await this.#places.change(caller, before, change, seek)), dryRun };
    });
  }

  @Post('rotate-secret')
  @HttpCode(200)
  @RouteConfig({
    summary:
      'A new secret, in this answer only; the one before it signs too until `previousValidUntil`. With the signature v1a: `publicKeys`, the new one and the one before it',
    roles: ['reader', 'operator', 'admin'],
    query: NONE,
  })
  async rotateSecret(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CheckedQuery() _none: object,
  ): Promise<object> {
    return this.#places.at(id, { caller, req, reply }, 'owner', async (desk, before) => {
      void reply.header('cache-control', 'no-store');
      const change = { what: 'subscription.rotate-secret' };
      const { subscription, secret, previousValidUntil } = await this.#places.change(caller, before, change, () =>
        desk.rotateSecret(id),
      );
      const publicKeys = this.#places.publicKeys(subscription);
      return { secret, previousValidUntil, ...(publicKeys.length === 0 ? {} : { publicKeys }) };
    });
  }
}

const same = <T>(answer: T): T => answer;
