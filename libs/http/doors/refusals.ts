import { maySeeRefusals, maySeeSummarised, type Caller } from '#access';
import { Fault, FAULTS, verbatim, type Problem } from '#faults';
import type { Limits } from '#limits';
import type { Refusal, Refusals } from '#publishing';
import type { Catalogue } from '#registry';
import type { Units } from '#units';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { texts } from '../texts.js';
import { workOf } from './in-turns.js';
import { momentMs } from './moment.js';
import { pageOf, PAGING, placeAfter } from './paging.js';

/** Token of RefusalsDoorDeps. */
export const REFUSALS_DOOR = Symbol('simpul.door.refusals');

export interface RefusalsDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly refusals: Pick<Refusals, 'list' | 'keeping'>;
  readonly catalogue: Pick<Catalogue, 'newest' | 'types'>;
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
  readonly per: 'minute' | 'hour';
}

const MINUTE_MS = 60_000;
/** Rows of a page when the query names no limit. */
const ROWS = 100;

/** Counts of refused events, of the units that the caller may see. */
@Controller('v1/refusals')
export class RefusalsController {
  constructor(@Inject(REFUSALS_DOOR) private readonly deps: RefusalsDoorDeps) {}

  @Get()
  @RouteConfig({
    summary:
      'Refused events, counted by unit, type, code and pointer: a minute for a day, an hour up to 7 days; `counted` says from when on',
    query: REFUSALS,
  })
  async list(
    @CheckedQuery() q: Query,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    this.#check(q);
    const after = placeAfter(q);
    const untilMs = q.until === undefined ? undefined : momentMs(q.until, '?until');
    const all = await this.deps.refusals.list({
      unit: q.unit,
      type: q.type,
      code: q.code,
      isVisible: this.#visibleTo(caller),
      fromMs: q.from === undefined || q.from === 'earliest' ? undefined : momentMs(q.from, '?from'),
      // The pages before this one are not made again.
      untilMs: after === undefined ? untilMs : Math.min(untilMs ?? Infinity, Date.parse(minuteOf(after)) + MINUTE_MS),
    });
    const most = (q.limit ?? ROWS) + 1;
    // Counts of many units and days take long to look through.
    const rows = await workOf(this.deps, req).run(async (turn) => {
      const found: Refusal[] = [];
      for (const minute of all) {
        if (turn.isOver) await turn.next();
        for (const row of minute) {
          if (after !== undefined && !follows(placeOf(row), after)) continue;
          if (found.push(row) === most) return found;
        }
      }
      return found;
    });
    if (rows.length === 0) await this.#checkType(req, q.type, caller);
    const { items, next } = pageOf(rows, placeOf, { limit: ROWS, ...q }, { follows });
    return pageBody(req, reply, 'refusals', items, next, { counted: countedOf(this.deps.refusals.keeping) });
  }

  /** Asked for each count, and decided once for each unit and type. */
  #visibleTo(caller: Caller): (unit: string, type: string) => boolean {
    const known = new Map<string, boolean>();
    return (unit, type) => {
      const key = `${unit}\n${type}`;
      let is = known.get(key);
      if (is === undefined) known.set(key, (is = this.#sees(caller, { unit, type })));
      return is;
    };
  }

  /** A type that is neither registered nor that of a refused event which the caller may see is no empty list. */
  async #checkType(req: FastifyRequest, type: string | undefined, caller: Caller): Promise<void> {
    if (type === undefined || type === '' || this.deps.catalogue.newest(type) !== undefined) return;
    const all = await this.deps.refusals.list({ type, isVisible: this.#visibleTo(caller) });
    const found = await workOf(this.deps, req).run(async (turn) => {
      for (const minute of all) {
        if (turn.isOver) await turn.next();
        if (minute.length > 0) return true;
      }
      return false;
    });
    if (found) return;
    throw new Fault('invalid_query', {
      problems: [{ pointer: '?type', reason: texts.no_such_type(), expected: verbatim('/v1/event-types') }],
    });
  }

  #sees(caller: Caller, { unit, type }: Pick<Row, 'unit' | 'type'>): boolean {
    const { catalogue, units } = this.deps;
    if (type === '') return maySeeSummarised(caller, unit, catalogue.types(), units);
    return maySeeRefusals(caller, unit, catalogue.newest(type), units);
  }

  /** A unit or code that is nowhere is no empty list. */
  #check({ unit, code }: Query): void {
    const problems: Problem[] = [];
    if (unit !== undefined && unit !== 'hub' && !unit.startsWith('EXT-') && !this.deps.units.get(unit))
      problems.push({ pointer: '?unit', reason: texts.unknown_unit(), expected: texts.unit_id() });
    if (code !== undefined && !Object.hasOwn(FAULTS, code))
      problems.push({ pointer: '?code', reason: texts.no_such_code(), expected: verbatim('/docs/errors') });
    if (problems.length > 0) throw new Fault('invalid_query', { problems });
  }
}

/** From when on refusals are counted, with their kinds, and by the minute. */
function countedOf({ fromMs, kindsFromMs, minutesFromMs }: Refusals['keeping']): Record<string, string> {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return { from: iso(fromMs), kindsFrom: iso(kindsFromMs), minutesFrom: iso(minutesFromMs) };
}

const placeOf = (r: Row): string => [r.minute, r.unit, r.type, r.code, r.pointer, r.per].join('\n');

/** Rows are ordered by minute, newest first, and within a minute ascending. */
function follows(place: string, after: string): boolean {
  const minute = minuteOf(place);
  const last = minuteOf(after);
  return minute < last || (minute === last && place > after);
}

const minuteOf = (place: string): string => place.slice(0, place.indexOf('\n'));
