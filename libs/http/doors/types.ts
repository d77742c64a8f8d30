import { consumerLevel, sampleEvent, type Caller } from '#access';
import { dataschemaUrn } from '#event';
import { Fault, type Problem } from '#faults';
import type { Limits } from '#limits';
import type { Catalogue, EventType } from '#registry';
import type { Units } from '#units';
import { Controller, Get, Header, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import { workOf } from './in-turns.js';
import { NONE, pageOf, PAGING } from './paging.js';
import { texts } from '../texts.js';

/** Token of TypesDoorDeps. */
export const TYPES_DOOR = Symbol('simpul.door.types');

export interface TypesDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly catalogue: Catalogue;
  readonly units: Units;
  /** @default Date.now */
  readonly now?: () => number;
}

const LIST = z.strictObject({
  stream: z.string().max(200).optional(),
  owner: z.string().max(50).optional(),
  text: z.string().max(200).optional(),
  ...PAGING,
});
const VERSION = z.strictObject({ version: z.coerce.number().int().min(1).optional() });
const SAMPLE = z.strictObject({ seed: z.coerce.number().int().min(0).max(1_000_000).optional() });

type List = z.output<typeof LIST>;
type Version = z.output<typeof VERSION>;
type Sample = z.output<typeof SAMPLE>;

/** Event types as registered: any key may read the catalogue. */
@Controller('v1/event-types')
export class TypesController {
  constructor(@Inject(TYPES_DOOR) private readonly deps: TypesDoorDeps) {}

  @Get()
  @RouteConfig({ summary: 'Event types, newest versions', query: LIST })
  list(
    @CheckedQuery() q: List,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return workOf(this.deps, req).run(() => Promise.resolve(this.#list(q, req, reply)));
  }

  #list(q: List, req: FastifyRequest, reply: FastifyReply): object {
    this.#check(q);
    const words = (q.text ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const rows = this.deps.catalogue
      .types()
      .filter((t) => q.stream === undefined || t.stream === q.stream)
      .filter((t) => q.owner === undefined || t.owner === q.owner)
      .filter((t) => words.every((w) => `${t.type} ${t.titleId} ${t.titleEn}`.toLowerCase().includes(w)));
    const { items, next } = pageOf(rows, (t) => t.type, q, { limit: 500 });
    return pageBody(req, reply, 'types', items.map(rowOf), next);
  }

  @Get(':type')
  @RouteConfig({ summary: 'One event type: who, fields, classes, schema', query: VERSION })
  one(@Param('type') type: string, @CheckedQuery() { version }: Version): object {
    const t = this.#found(type, version);
    const p = t.contract.properties;
    return {
      ...rowOf(t),
      consumers: t.consumers.map((c) => ({ ...c, level: consumerLevel(c) })),
      unitFields: t.unitFields,
      ...(p === undefined
        ? {}
        : {
            highestPii: p.highestPii,
            main: p.main,
            latencyTarget: p.latencyTarget,
            volumePerDay: p.volumePerDay,
            retention: p.retention,
            deadlines: p.deadlines,
          }),
      fields: t.contract.fields,
      schema: JSON.parse(t.contract.schemaText) as unknown,
    };
  }

  @Get(':type/versions')
  @RouteConfig({ summary: 'All versions of an event type', query: NONE })
  versions(@Param('type') type: string, @CheckedQuery() _none: object): object {
    this.#found(type);
    const versions = this.deps.catalogue.versions(type).map((t) => ({
      version: t.version,
      schemaId: t.schemaId,
      dataschema: dataschemaUrn(t.type, t.version),
    }));
    return { type, versions };
  }

  @Get(':type/sample')
  @Header('content-type', 'application/cloudevents+json')
  @RouteConfig({ summary: 'A valid invented event of the newest version, ready to publish', query: SAMPLE })
  sample(@Param('type') type: string, @CheckedQuery() { seed }: Sample, @CurrentCaller() caller: Caller): string {
    const made = { id: randomUUID(), time: new Date(this.deps.now?.() ?? Date.now()).toISOString() };
    return JSON.stringify(sampleEvent(this.#found(type), seed ?? 0, caller, this.deps.units, made));
  }

  /** A name that is nowhere is no empty list. */
  #check({ stream, owner }: List): void {
    const { catalogue } = this.deps;
    const problems: Problem[] = [];
    if (stream !== undefined && catalogue.stream(stream) === undefined)
      problems.push({ pointer: '?stream', reason: texts.no_such_stream() });
    if (owner !== undefined && !catalogue.types().some((t) => t.owner === owner))
      problems.push({ pointer: '?owner', reason: texts.no_such_owner() });
    if (problems.length > 0) throw new Fault('invalid_query', { problems });
  }

  #found(type: string, version?: number): EventType {
    const { catalogue } = this.deps;
    const t = version === undefined ? catalogue.newest(type) : catalogue.version(type, version);
    if (!t) throw new Fault('not_found');
    return t;
  }
}

function rowOf(t: EventType): object {
  return {
    type: t.type,
    version: t.version,
    stream: t.stream,
    owner: t.owner,
    titleId: t.titleId,
    titleEn: t.titleEn,
    publishers: t.publishers,
    ...(t.actor === undefined ? {} : { actor: t.actor }),
    ...(t.aheadMinutes === undefined ? {} : { aheadMinutes: t.aheadMinutes }),
    ...(t.expected === undefined ? {} : { expected: t.expected }),
    subject: t.subject,
    subjectForm: t.subjectForm,
    ordering: t.ordering,
    restricted: t.restricted,
    availableFrom: t.availableFrom,
    schemaId: t.schemaId,
    dataschema: dataschemaUrn(t.type, t.version),
  };
}
