import type { Caller } from '#access';
import type { CompiledView, GenerationRow, Generations } from '#projection';
import type { Catalogue } from '#registry';
import { Controller, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { NONE } from './paging.js';
import { subjectFields, viewOf } from './state-parts.js';

/** Token of ViewsDoorDeps. */
export const VIEWS_DOOR = Symbol('simpul.door.views');

export interface ViewsDoorDeps {
  /** By name. */
  readonly views: ReadonlyMap<string, CompiledView>;
  readonly catalogue: Pick<Catalogue, 'newest'>;
  readonly generations: Pick<Generations, 'row'>;
  /** Begins a new generation (requestRebuild). */
  readonly rebuild: (view: CompiledView, by: Caller) => Promise<GenerationRow>;
}

/** The views: which events they fold, their fields, their generation; and their rebuild. */
@Controller('v1/views')
export class ViewsController {
  constructor(@Inject(VIEWS_DOOR) private readonly deps: ViewsDoorDeps) {}

  @Get()
  @RouteConfig({ summary: 'Views: what they fold, their fields', query: NONE })
  list(
    @CheckedQuery() _none: object,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): object {
    const rows = [...this.deps.views.values()].map((view) => this.#rowOf(view));
    return pageBody(req, reply, 'views', rows, undefined);
  }

  @Post(':view/rebuild')
  @HttpCode(202)
  @RouteConfig({ summary: 'Fold a view anew while the old one serves', roles: ['operator', 'hub-admin'], query: NONE })
  async rebuild(
    @Param('view') name: string,
    @CheckedQuery() _none: object,
    @CurrentCaller() by: Caller,
  ): Promise<object> {
    const { serving, building } = await this.deps.rebuild(viewOf(this.deps.views, name), by);
    return { view: name, serving, building };
  }

  #rowOf(view: CompiledView): object {
    const row = this.deps.generations.row(view.name);
    return {
      view: view.name,
      titleId: view.definition.titleId,
      titleEn: view.definition.titleEn,
      kind: view.kind,
      owner: view.definition.owner ?? 'any-with-right',
      ...(view.definition.ownerWhy === undefined ? {} : { ownerWhy: view.definition.ownerWhy }),
      key: view.bySubject ? subjectFields(this.deps.catalogue, view) : view.keyParts.map(([name]) => name),
      keyForm: view.pseudonym ? 'pseudonym' : 'clear',
      streams: view.streams,
      types: [...view.ofType.keys()],
      fields: view.fields.map(({ name, kind, pii }) => ({ name, kind, pii })),
      generation: row?.serving ?? null,
      ...(row?.building === undefined ? {} : { building: row.building }),
    };
  }
}
