import { maySeeRefusals, type Caller } from '#access';
import { Fault } from '#faults';
import type { Limits } from '#limits';
import type { Catalogue } from '#registry';
import type { Units } from '#units';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { texts } from '../texts.js';
import { workOf } from './in-turns.js';
import { pageOf, PAGING } from './paging.js';

/** Token of WatchDoorDeps. */
export const WATCH_DOOR = Symbol('simpul.door.watch');

/** A finding as the door shows it. Times are ms since 1970; texts hold numbers and times only. */
export interface WatchFinding {
  readonly id: string;
  readonly kind: 'silent' | 'gap' | 'skew' | 'storm';
  /** Id of a unit, or code of an external party. */
  readonly unit: string;
  readonly system?: string;
  readonly stream: string;
  readonly type?: string;
  readonly sinceMs: number;
  readonly untilMs?: number;
  readonly expected: string;
  readonly seen: string;
}

export interface WatchDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly units: Units;
  readonly catalogue: Pick<Catalogue, 'newest' | 'stream'>;
  /** In any order. They may change while a list is made in turns. */
  readonly findings: () => Iterable<WatchFinding>;
}

const WATCH = z.strictObject({
  kind: z.enum(['silent', 'gap', 'skew', 'storm']).optional(),
  unit: z.string().max(50).optional(),
  stream: z.string().max(200).optional(),
  state: z.enum(['open', 'ended', 'all']).optional(),
  ...PAGING,
});
type Query = z.output<typeof WATCH>;

const nullable = z.string().nullable();
const ANSWER = z.object({
  findings: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      unit: z.string(),
      system: nullable,
      stream: z.string(),
      type: nullable,
      since: z.string(),
      until: nullable,
      expected: z.string(),
      seen: z.string(),
    }),
  ),
  next: nullable,
});

/** What the watch has found about the units that the caller may see. */
@Controller('v1/watch')
export class WatchController {
  constructor(@Inject(WATCH_DOOR) private readonly deps: WatchDoorDeps) {}

  @Get()
  @RouteConfig({
    summary:
      'Units that sent no report by its deadline (`silent`), whose numbers are missing (`gap`), whose clock is wrong (`skew`), or that send again and again (`storm`): of your unit and those below it; operators and stewards see all; newest first. `state`: `open` (default), `ended` or `all`',
    roles: ['reader', 'operator', 'data-team', 'steward', 'admin'],
    query: WATCH,
    answer: ANSWER,
  })
  async list(
    @CheckedQuery() q: Query,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    this.#check(q);
    const isVisible = this.#visibleTo(caller);
    const found = await workOf(this.deps, req).run(async (turn) => {
      const rows: WatchFinding[] = [];
      for (const finding of this.deps.findings()) {
        if (turn.isOver) await turn.next();
        if (isWanted(finding, q) && isVisible(finding)) rows.push(finding);
      }
      return rows.sort(byTime);
    });
    const { items, next } = pageOf(found, placeOf, q, { follows });
    return pageBody(req, reply, 'findings', items.map(rowOf), next);
  }

  /** A unit that is nowhere is no empty list. A stream that the caller may not know of looks like one that does not exist. */
  #check({ unit }: Query): void {
    if (unit === undefined || unit.startsWith('EXT-') || this.deps.units.get(unit) !== undefined) return;
    throw new Fault('invalid_query', {
      problems: [{ pointer: '?unit', reason: texts.unknown_unit(), expected: texts.unit_id() }],
    });
  }

  /** Decided once for each unit, stream and type. */
  #visibleTo(caller: Caller): (finding: WatchFinding) => boolean {
    const known = new Map<string, boolean>();
    return ({ unit, stream, type }) => {
      const key = `${unit}\n${stream}\n${type ?? ''}`;
      let is = known.get(key);
      if (is === undefined) known.set(key, (is = this.#sees(caller, unit, stream, type)));
      return is;
    };
  }

  /** Whoever may see the refusals of the unit; of a restricted stream, whoever may know of all its restricted types (R12.2). */
  #sees(caller: Caller, unit: string, stream: string, type: string | undefined): boolean {
    const { catalogue, units } = this.deps;
    const types = type === undefined ? (catalogue.stream(stream)?.types ?? []) : [type];
    const restricted = types.flatMap((name) => {
      const one = catalogue.newest(name);
      return one?.restricted === true ? [one] : [];
    });
    return [undefined, ...restricted].every((one) => maySeeRefusals(caller, unit, one, units));
  }
}

function isWanted(finding: WatchFinding, { kind, unit, stream, state = 'open' }: Query): boolean {
  if (state !== 'all' && (finding.untilMs === undefined) !== (state === 'open')) return false;
  return (
    (kind === undefined || finding.kind === kind) &&
    (unit === undefined || finding.unit === unit) &&
    (stream === undefined || finding.stream === stream)
  );
}

const isoOf = (ms: number): string => new Date(ms).toISOString();
const placeOf = ({ sinceMs, id }: WatchFinding): string => `${isoOf(sinceMs)}\n${id}`;

/** Newest first; those of one time ascend. */
function follows(place: string, after: string): boolean {
  const [time, last] = [timeOf(place), timeOf(after)];
  return time === last ? place > after : time < last;
}

const timeOf = (place: string): string => place.slice(0, place.indexOf('\n'));

function byTime(a: WatchFinding, b: WatchFinding): number {
  if (a.sinceMs !== b.sinceMs) return b.sinceMs - a.sinceMs;
  return a.id < b.id ? -1 : 1;
}

function rowOf({ id, kind, unit, system, stream, type, sinceMs, untilMs, expected, seen }: WatchFinding): object {
  return {
    id,
    kind,
    unit,
    system: system ?? null,
    stream,
    type: type ?? null,
    since: isoOf(sinceMs),
    until: untilMs === undefined ? null : isoOf(untilMs),
    expected,
    seen,
  };
}
