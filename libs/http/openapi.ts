import { z, type ZodType } from 'zod';
import type { KnownRoute, RouteTable } from './routes.js';
import type { Door } from './types.js';

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
    hint: { type: 'string' },
  },
};

/** OpenAPI 3.1 of the routes that exist: none is described by hand, so none can be missing. */
export function openapiOf(routes: readonly KnownRoute[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
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

export function openapiDoor(routes: RouteTable): Door {
  return ({ app }) => {
    let text: string | undefined;
    app.get('/openapi.json', { config: { open: true, summary: 'This document' } }, (_req, reply) => {
      text ??= JSON.stringify(openapiOf(routes.list()));
      return reply.header('content-type', 'application/json').send(text);
    });
  };
}
