import { Controller, Get, Header, Inject } from '@nestjs/common';
import { z, type ZodType } from 'zod';
import { RouteConfig } from './controllers.js';
import type { KnownRoute, RouteTable } from './routes.js';
import { ROUTES } from './tokens.js';

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'instance', 'code', 'hint'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string' },
    errors: { type: 'array', items: { type: 'object' } },
    limit: { type: ['integer', 'string'] },
    hint: { type: 'string' },
  },
};

/** OpenAPI 3.1 of all declared routes, Fastify's and Nest's, by path: none is described by hand, so none can be missing. */
export function openapiOf(routes: readonly KnownRoute[]): object {
  const paths: Record<string, Record<string, object>> = {};
  const byPath = routes.toSorted((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0));
  for (const route of byPath) {
    const path = route.url.replace(/:([A-Za-z]+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Simpul', version: '1', description: 'Event hub: publish, read, state, catalogue, units, keys.' },
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: KnownRoute): object {
  const parameters: object[] = [...route.url.matchAll(/:([A-Za-z]+)/g)].map((m) => ({
    name: m[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const query = route.query === undefined ? undefined : jsonSchema(route.query);
  for (const [name, schema] of Object.entries(query?.properties ?? {})) {
    parameters.push({ name, in: 'query', required: query?.required?.includes(name) ?? false, schema });
  }
  return {
    ...(route.summary === undefined ? {} : { summary: route.summary }),
    security: route.open === true ? [] : [{ key: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(route.body) } } } }),
    responses: {
      '2XX': {
        description: 'as asked',
        ...(route.answer === undefined
          ? {}
          : { content: { 'application/json': { schema: jsonSchema(route.answer) } } }),
      },
      default: {
        description: 'a problem document (RFC 9457)',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

interface ObjectSchema {
  properties?: Record<string, object>;
  required?: string[];
}

function jsonSchema(schema: ZodType): ObjectSchema {
  const { $schema: _meta, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest as ObjectSchema;
}

@Controller()
export class OpenapiController {
  #text: string | undefined;

  constructor(@Inject(ROUTES) private readonly routes: RouteTable) {}

  @Get('openapi.json')
  @Header('content-type', 'application/json')
  @RouteConfig({ open: true, summary: 'This document' })
  document(): string {
    return (this.#text ??= JSON.stringify(openapiOf(this.routes.list())));
  }
}
