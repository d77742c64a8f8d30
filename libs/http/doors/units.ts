import { Fault } from '#faults';
import { isDay, type Unit, type Units } from '#units';
import { z } from 'zod';
import type { Door } from '../types.js';
import { pageOf, PAGING } from './paging.js';

const day = z.string().refine(isDay, 'a day, YYYY-MM-DD').optional();
const moment = z.iso.datetime({ offset: true }).optional();
const word = z.string().min(1).max(100);
const LIST = z.strictObject({
  type: word.optional(),
  province: z
    .string()
    .regex(/^\d{2}$/)
    .optional(),
  class: word.optional(),
  text: z.string().max(200).optional(),
  asOf: day,
  ...PAGING,
});
const ONE = z.strictObject({ asOf: day, knownAt: moment });
const CHILDREN = z.strictObject({ line: z.enum(['administrative', 'technical']).optional(), asOf: day, ...PAGING });
const HISTORY = z.strictObject({ knownAt: moment });
const RESOLVE = z.strictObject({
  function: word,
  province: z
    .string()
    .regex(/^\d{2}$/)
    .optional(),
  asOf: day,
});

const UNIT = z.looseObject({
  id: z.string(),
  version: z.number(),
  code: z.string(),
  name: z.string(),
  type: z.string(),
});
const UNITS = z.object({ units: z.array(UNIT), next: z.string().nullable() });

/** Units by id or by the code of that day, both lines, past days with `asOf`, earlier beliefs with `knownAt`. Any key may ask: names of public offices only. */
export function unitsDoor({ units }: { readonly units: Units }): Door {
  const found = (id: string, asOf?: string): Unit => {
    const unit = units.get(id, asOf) ?? units.byCode(id, asOf);
    if (!unit) throw new Fault('not_found');
    return unit;
  };
  return (edge) => {
    const { app } = edge;
    app.get('/v1/units', { config: { summary: 'Units, by id', query: LIST, answer: UNITS } }, (req, reply) => {
      const { limit, cursor, asOf, ...filter } = edge.query(req, LIST);
      const { items, next } = pageOf(units.list(given(filter), asOf), (u) => u.id, { limit, cursor });
      return edge.page(req, reply, 'units', items, next);
    });
    app.get(
      '/v1/units/resolve',
      { config: { summary: 'Units that serve a function in a province', query: RESOLVE, answer: UNITS } },
      (req, reply) => {
        const q = edge.query(req, RESOLVE);
        return edge.page(req, reply, 'units', units.resolve(q.function, q.province, q.asOf), undefined);
      },
    );
    app.get<{ Params: { id: string } }>(
      '/v1/units/:id',
      { config: { summary: 'One unit, today or as of a day', query: ONE, answer: UNIT } },
      (req) => {
        const { asOf, knownAt } = edge.query(req, ONE);
        if (knownAt === undefined) return found(req.params.id, asOf);
        if (asOf === undefined)
          throw new Fault('invalid_query', {
            problems: [{ pointer: '?knownAt', reason: 'needs asOf', expected: 'asOf=YYYY-MM-DD beside it' }],
          });
        const unit = units.get(found(req.params.id).id, asOf, knownAt);
        if (!unit) throw new Fault('not_found');
        return unit;
      },
    );
    app.get<{ Params: { id: string } }>(
      '/v1/units/:id/children',
      { config: { summary: 'Units below, along one line', query: CHILDREN, answer: UNITS } },
      (req, reply) => {
        const { line, asOf, ...paging } = edge.query(req, CHILDREN);
        const below = units.children(found(req.params.id, asOf).id, line ?? 'administrative', asOf);
        const { items, next } = pageOf(below, (u) => u.id, paging);
        return edge.page(req, reply, 'units', items, next);
      },
    );
    app.get<{ Params: { id: string } }>(
      '/v1/units/:id/history',
      { config: { summary: 'All versions of a unit, and what was believed before', query: HISTORY } },
      (req) => {
        const { knownAt } = edge.query(req, HISTORY);
        const { id } = found(req.params.id);
        return { id, versions: units.history(id, knownAt), learnt: units.learnt(id) };
      },
    );
  };
}

/** The object without members that are undefined. */
function given<T extends object>(o: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as never;
}
