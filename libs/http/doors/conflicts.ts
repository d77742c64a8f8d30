import type { Caller } from '#access';
import { parsePosition, type Position } from '#event';
import { Fault } from '#faults';
import type { Limits } from '#limits';
import type { CompiledView, Conflict, ConflictReader } from '#projection';
import { Controller, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { workOf } from './in-turns.js';
import { pageOf, PAGING, placeAfter } from './paging.js';
import { viewOf } from './state-parts.js';

/** Token of ConflictsDoorDeps. */
export const CONFLICTS_DOOR = Symbol('simpul.door.conflicts');

export interface ConflictsDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly conflicts: Pick<ConflictReader, 'list'>;
  /** States the event at this position again for the hub (R5.12); answers the position of the new event. */
  readonly accept: (position: Position, by: Caller, why: string) => Promise<string>;
  /** By name. */
  readonly views: ReadonlyMap<string, CompiledView>;
}

const CONFLICTS = z.strictObject({ view: z.string().max(100).optional(), ...PAGING });

const ACCEPT = z.strictObject({
  /** `<stream>/<partition>/<offset>`, as the list names it. */
  position: z.string().max(200),
  why: z.string().min(1).max(500),
});

/** Rows of a page when the query names no limit. */
const ROWS = 100;

/** Events that views have refused: they are in the log and changed no entry (R5.10, R5.11). */
@Controller('v1/conflicts')
export class ConflictsController {
  constructor(@Inject(CONFLICTS_DOOR) private readonly deps: ConflictsDoorDeps) {}

  @Get()
  @RouteConfig({
    summary:
      'Events that a view refused because they would change an entry of somebody else, lack the step before them, or are dated too far ahead; newest first; `owner` and the key of a count only to whoever may see the refusals of that owner; `counts` by view: the rows that you may see, for operators and stewards how many in all; `dropped` by view and source: how many of its events the list no longer keeps',
    roles: ['reader', 'operator', 'data-team', 'steward', 'admin'],
    query: CONFLICTS,
  })
  async list(
    @CheckedQuery() q: z.output<typeof CONFLICTS>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const view = q.view === undefined ? undefined : viewOf(this.deps.views, q.view);
    const after = placeAfter(q);
    const page = {
      most: (q.limit ?? ROWS) + 1,
      ...(after === undefined ? {} : { follows: (row: Conflict) => follows(placeOf(row), after) }),
    };
    // Every partition of every view is looked at, for the counts too.
    const { conflicts, counts, dropped } = await workOf(this.deps, req).run((turn) =>
      this.deps.conflicts.list(caller, view, { ...page, turn }),
    );
    const { items, next } = pageOf(conflicts, placeOf, { limit: ROWS, ...q }, { follows });
    return pageBody(req, reply, 'conflicts', items, next, { counts, dropped });
  }

  @Post('accept')
  @HttpCode(200)
  @RouteConfig({
    summary:
      'Accept an event that views refused: the hub states it again in the name of its source, and each view makes the entry anew for that office; whoever had it before may not change it any more. `accepted`: the position of the new event',
    roles: ['steward'],
    body: ACCEPT,
  })
  async accept(
    @CheckedBody() { position, why }: z.output<typeof ACCEPT>,
    @CurrentCaller() by: Caller,
  ): Promise<object> {
    const place = parsePosition(position);
    if (place === undefined) throw new Fault('not_found');
    return { position, accepted: await this.deps.accept(place, by, why) };
  }
}

/** What orders a row, so that a list goes on at its place although newer rows came. */
const placeOf = ({ recordedtime, view, position }: Conflict): string => [recordedtime, view, position].join('\n');

/** Newest first; rows of one time ascend. */
function follows(place: string, after: string): boolean {
  const [time, last] = [timeOf(place), timeOf(after)];
  return time === last ? place > after : time < last;
}

const timeOf = (place: string): string => place.slice(0, place.indexOf('\n'));
