import { Fault, type Problem } from '#faults';
import type { Limits } from '#limits';
import { isDay, type Unit, type UnitFilter, type Units } from '#units';
import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { workOf } from './in-turns.js';
import { pageOf, PAGING } from './paging.js';
import { because } from '../read-input.js';
import { texts } from '../texts.js';

/** Token of UnitsDoorDeps. */
export const UNITS_DOOR = Symbol('simpul.door.units');

export interface UnitsDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly units: Units;
}

const day = z.string().refine(isDay, because(texts.day())).optional();
const moment = z.iso.datetime({ offset: true }).optional();
const word = z.string().min(1).max(100);
const province = z.string().regex(/^\d{2}$/);
const LIST = z.strictObject({
  type: word.optional(),
  province: province.optional(),
  class: word.optional(),
  text: z.string().max(200).optional(),
  asOf: day,
  ...PAGING,
});
const ONE = z.strictObject({ asOf: day, knownAt: moment });
const CHILDREN = z.strictObject({ line: z.enum(['administrative', 'technical']).optional(), asOf: day, ...PAGING });
const HISTORY = z.strictObject({ knownAt: moment });
const RESOLVE = z.strictObject({ function: word, province: province.optional(), asOf: day });
type List = z.output<typeof LIST>;
type One = z.output<typeof ONE>;
type Children = z.output<typeof CHILDREN>;
type History = z.output<typeof HISTORY>;
type Resolve = z.output<typeof RESOLVE>;

const UNIT = z.looseObject({
  id: z.string(),
  version: z.number(),
  code: z.string(),
  name: z.string(),
  type: z.string(),
});
const UNITS = z.object({ units: z.array(UNIT), next: z.string().nullable() });

/**
 * Units by id or by the code of that day, along both lines, past days with `asOf`, what was believed earlier with `knownAt`. Any key may read them: they
 * hold names of public offices only.
 */
@Controller('v1/units')
export class UnitsController {
  readonly #units: Units;

  constructor(@Inject(UNITS_DOOR) private readonly deps: UnitsDoorDeps) {
    this.#units = deps.units;
  }

  @Get()
  @RouteConfig({ summary: 'Units, by id', query: LIST, answer: UNITS })
  list(
    @CheckedQuery() { limit, cursor, asOf, ...filter }: List,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return this.#inTurn(req, () => {
      this.#check({ ...filter, asOf });
      const { items, next } = pageOf(this.#units.list(given(filter), asOf), (u) => u.id, { limit, cursor });
      return pageBody(req, reply, 'units', items, next);
    });
  }

  @Get('resolve')
  @RouteConfig({ summary: 'Units that serve a function in a province', query: RESOLVE, answer: UNITS })
  resolve(
    @CheckedQuery() q: Resolve,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return this.#inTurn(req, () => {
      this.#check({ type: q.function, asOf: q.asOf }, '?function');
      return pageBody(req, reply, 'units', this.#units.resolve(q.function, q.province, q.asOf), undefined);
    });
  }

  @Get(':id')
  @RouteConfig({ summary: 'One unit, today or as of a day', query: ONE, answer: UNIT })
  one(@Param('id') id: string, @CheckedQuery() { asOf, knownAt }: One): Unit {
    if (knownAt === undefined) return this.#found(id, asOf);
    if (asOf === undefined)
      throw new Fault('invalid_query', {
        problems: [{ pointer: '?knownAt', reason: texts.needs_as_of(), expected: texts.as_of_beside_it() }],
      });
    const unit = this.#units.get(this.#found(id).id, asOf, knownAt);
    if (!unit) throw new Fault('not_found');
    return unit;
  }

  @Get(':id/children')
  @RouteConfig({ summary: 'Units below, along one line', query: CHILDREN, answer: UNITS })
  children(
    @Param('id') id: string,
    @CheckedQuery() { line, asOf, ...paging }: Children,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return this.#inTurn(req, () => {
      const below = this.#units.children(this.#found(id, asOf).id, line ?? 'administrative', asOf);
      const { items, next } = pageOf(below, (u) => u.id, paging);
      return pageBody(req, reply, 'units', items, next);
    });
  }

  @Get(':id/history')
  @RouteConfig({ summary: 'All versions of a unit, and what was believed before', query: HISTORY })
  history(@Param('id') given: string, @CheckedQuery() { knownAt }: History): object {
    const { id } = this.#found(given);
    return { id, versions: this.#units.history(id, knownAt), learnt: this.#units.allRows(id) };
  }

  /** Looking through all units takes a few ms: in a turn of the caller, and charged to its key. */
  #inTurn(req: FastifyRequest, list: () => object): Promise<object> {
    return workOf(this.deps, req).run(() => Promise.resolve(list()));
  }

  /** A type or class that no unit has is no empty list: "no office serves this" would be a wrong answer. */
  #check({ type, class: of, asOf }: Pick<List, 'type' | 'class' | 'asOf'>, pointer = '?type'): void {
    const none = (filter: UnitFilter): boolean =>
      this.#units.list(filter, asOf).length === 0 && this.#units.list(filter).length === 0;
    const problems: Problem[] = [];
    if (type !== undefined && none({ type }))
      problems.push({ pointer, reason: texts.no_unit_of_type(), expected: texts.unit_type() });
    if (of !== undefined && none({ class: of })) problems.push({ pointer: '?class', reason: texts.no_unit_of_class() });
    if (problems.length > 0) throw new Fault('invalid_query', { problems });
  }

  #found(id: string, asOf?: string): Unit {
    const unit = this.#units.get(id, asOf) ?? this.#units.byCode(id, asOf);
    if (!unit) throw new Fault('not_found');
    return unit;
  }
}

/** The object without members that are undefined. */
function given<T extends object>(o: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as never;
}
