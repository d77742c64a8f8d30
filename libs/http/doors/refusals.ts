import { maySeeOwner, type Caller } from '#access';
import type { Refusals } from '#publishing';
import type { Units } from '#units';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { momentMs } from './moment.js';
import { pageOf, PAGING } from './paging.js';

/** Token of RefusalsDoorDeps. */
export const REFUSALS_DOOR = Symbol('simpul.door.refusals');

export interface RefusalsDoorDeps {
  readonly refusals: Pick<Refusals, 'list'>;
  readonly units: Units;
}

const REFUSALS = z.strictObject({
  unit: z.string().max(50).optional(),
  type: z.string().max(200).optional(),
  code: z.string().max(60).optional(),
  from: z.string().max(40).optional(),
  until: z.string().max(40).optional(),
  ...PAGING,
});
type Query = z.output<typeof REFUSALS>;

interface Row {
  readonly minute: string;
  readonly unit: string;
  readonly type: string;
  readonly code: string;
  readonly pointer: string;
}

/** Counts of refused events, of the units that the caller may see. */
@Controller('v1/refusals')
export class RefusalsController {
  constructor(@Inject(REFUSALS_DOOR) private readonly deps: RefusalsDoorDeps) {}

  @Get()
  @RouteConfig({ summary: 'Refused events, counted by unit, type, code and pointer a minute; 7 days', query: REFUSALS })
  async list(
    @CheckedQuery() q: Query,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const all = await this.deps.refusals.list({
      unit: q.unit,
      type: q.type,
      code: q.code,
      fromMs: q.from === undefined || q.from === 'earliest' ? undefined : momentMs(q.from, '?from'),
      untilMs: q.until === undefined ? undefined : momentMs(q.until, '?until'),
    });
    const visible = new Map<string, boolean>();
    const rows = all.filter(({ unit }) => {
      if (!visible.has(unit)) visible.set(unit, maySeeOwner(caller, unit, this.deps.units));
      return visible.get(unit);
    });
    const { items, next } = pageOf(rows, placeOf, q, { follows });
    return pageBody(req, reply, 'refusals', items, next);
  }
}

const placeOf = (r: Row): string => [r.minute, r.unit, r.type, r.code, r.pointer].join('\n');

/** Rows are ordered by minute, newest first, and within a minute ascending. */
function follows(place: string, after: string): boolean {
  const minute = minuteOf(place);
  const last = minuteOf(after);
  return minute < last || (minute === last && place > after);
}

const minuteOf = (place: string): string => place.slice(0, place.indexOf('\n'));
