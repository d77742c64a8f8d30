import { isHubAdmin, mayKnowType, type Caller } from '#access';
import type { AttemptRow, AttemptStream, RecordedAttempt, SubscriptionList } from '#delivery';
import { parsePosition } from '#event';
import type { Limits } from '#limits';
import { TEST_EVENTS } from '#log';
import { encodeStreamCursor } from '#reading';
import type { Catalogue } from '#registry';
import { COURIER_PARTITIONS, partitionOfSubscription } from '#subscriptions';
import type { Units } from '#units';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { nextUrl } from '../page.js';
import { workOf } from './in-turns.js';
import { PAGING } from './paging.js';
import { checkBeginning, wantsLines } from './read.js';

/** Token of AttemptsDoorDeps. */
export const ATTEMPTS_DOOR = Symbol('simpul.door.attempts');

export interface AttemptsDoorDeps {
  /** @default pages are not made in turns */
  readonly limits?: Limits;
  readonly attempts: Pick<AttemptStream, 'begin' | 'page'>;
  /** Says whose a subscription is. */
  readonly list: SubscriptionList;
  readonly catalogue: Pick<Catalogue, 'stream' | 'streams' | 'newest'>;
  readonly units: Units;
}

const ATTEMPTS = z.strictObject({ from: z.string().max(300).optional(), ...PAGING });
/** Rows of a page when the query names no limit. */
const ROWS = 100;
const ALL: ReadonlySet<number> = new Set(Array.from({ length: COURIER_PARTITIONS }, (_, p) => p));

/** Attempts to deliver as a stream: a unit reads those of its own subscriptions, a data team those of all. */
@Controller('v1/attempts')
export class AttemptsController {
  constructor(@Inject(ATTEMPTS_DOOR) private readonly deps: AttemptsDoorDeps) {}

  @Get()
  @RouteConfig({
    summary:
      'Attempts to deliver as a stream (`_simpul.attempts`, 30 days), the oldest first; JSON or NDJSON by Accept. Of the subscriptions of your unit; data teams, stewards and the operators and admins of the hub get those of all. `subject` and `head` only to reader keys of the owner. `from`: `earliest` (default), `latest`, a time, or the position of a record',
    roles: ['reader', 'operator', 'data-team', 'steward', 'admin'],
    query: ATTEMPTS,
  })
  async read(
    @CheckedQuery() q: z.output<typeof ATTEMPTS>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object | string> {
    checkBeginning(q);
    return workOf(this.deps, req).run(async (turn) => {
      const begin = await this.deps.attempts.begin(q.cursor, q.from);
      if (turn.isOver) await turn.next();
      const wish = { ...this.#seenBy(caller), limit: q.limit ?? ROWS };
      const page = await this.deps.attempts.page(begin, wish, turn);
      const next = encodeStreamCursor({ ...begin, next: page.next });
      void reply.header('link', `<${nextUrl(req.url, next)}>; rel="next"`);
      if (!wantsLines(req)) return { attempts: page.items, next, ...(page.incomplete ? { incomplete: true } : {}) };
      void reply.header('content-type', 'application/x-ndjson; charset=utf-8').header('simpul-next', next);
      if (page.incomplete) void reply.header('simpul-incomplete', 'true');
      return page.items.map((row) => `${JSON.stringify(row)}\n`).join('');
    });
  }

  #seenBy(caller: Caller): {
    readonly partitions: ReadonlySet<number>;
    readonly wants: (subscription: string) => boolean;
    readonly shown: (attempt: RecordedAttempt) => object | undefined;
  } {
    const { list } = this.deps;
    const all = readsAll(caller);
    const isOwn = (id: string): boolean => list.get(id)?.owner === caller.owner;
    const own = [...list.all()].filter(({ owner }) => owner === caller.owner);
    const known = new Map<string, boolean>();
    const mayKnow = (position: string): boolean => {
      const stream = parsePosition(position)?.stream ?? '';
      let may = known.get(stream);
      if (may === undefined) known.set(stream, (may = this.#mayKnow(caller, stream)));
      return may;
    };
    return {
      partitions: all ? ALL : new Set(own.map(({ id }) => partitionOfSubscription(id))),
      wants: (id) => all || isOwn(id),
      shown: ({ record, row }) => {
        const owner = list.get(row.subscription)?.owner;
        const about = { record, ...(owner === undefined ? {} : { owner }) };
        if (owner === caller.owner && caller.roles.has('reader')) return { ...about, ...row };
        return mayKnow(row.position) ? { ...about, ...withoutPersons(row) } : undefined;
      },
    };
  }

  /** A position says that there is an event: of a stream with a restricted type only to whom that type names (R12.2). */
  #mayKnow(caller: Caller, name: string): boolean {
    const { catalogue, units } = this.deps;
    const streams = name === TEST_EVENTS.name ? catalogue.streams() : [catalogue.stream(name)];
    return streams.every((stream) =>
      stream?.types.every((type) => {
        const found = catalogue.newest(type);
        return found !== undefined && mayKnowType(caller, found, units);
      }),
    );
  }
}

function readsAll(caller: Caller): boolean {
  const { roles, owner } = caller;
  return (
    roles.has('data-team') || roles.has('steward') || isHubAdmin(caller) || (owner === 'hub' && roles.has('operator'))
  );
}

/** The subject is a person, or stands for one, and what a receiver answers may name one. */
function withoutPersons({ subject: _subject, head: _head, ...row }: AttemptRow): object {
  return row;
}
