import { sampleEvent } from '#access';
import { dataschemaUrn } from '#event';
import { Fault } from '#faults';
import type { Catalogue, EventType } from '#registry';
import type { Units } from '#units';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Door } from '../types.js';
import { pageOf, PAGING } from './paging.js';

const LIST = z.strictObject({
  stream: z.string().max(200).optional(),
  owner: z.string().max(50).optional(),
  text: z.string().max(200).optional(),
  ...PAGING,
});
const VERSION = z.strictObject({ version: z.coerce.number().int().min(1).optional() });
const SAMPLE = z.strictObject({ seed: z.coerce.number().int().min(0).max(1_000_000).optional() });
const NONE = z.strictObject({});

/** Event types as registered: any key may read the catalogue. */
export function typesDoor(deps: { readonly catalogue: Catalogue; readonly units: Units }): Door {
  const { catalogue, units } = deps;
  const found = (type: string, version?: number): EventType => {
    const t = version === undefined ? catalogue.newest(type) : catalogue.version(type, version);
    if (!t) throw new Fault('not_found');
    return t;
  };
  return (edge) => {
    const { app } = edge;
    app.get('/v1/event-types', { config: { summary: 'Event types, newest versions', query: LIST } }, (req, reply) => {
      const q = edge.query(req, LIST);
      const words = (q.text ?? '').toLowerCase().split(/\s+/).filter(Boolean);
      const rows = catalogue
        .types()
        .filter((t) => q.stream === undefined || t.stream === q.stream)
        .filter((t) => q.owner === undefined || t.owner === q.owner)
        .filter((t) => words.every((w) => `${t.type} ${t.titleId} ${t.titleEn}`.toLowerCase().includes(w)));
      const { items, next } = pageOf(rows, (t) => t.type, q, 500);
      return edge.page(req, reply, 'types', items.map(rowOf), next);
    });
    app.get<{ Params: { type: string } }>(
      '/v1/event-types/:type',
      { config: { summary: 'One event type: who, fields, classes, schema', query: VERSION } },
      (req) => {
        const t = found(req.params.type, edge.query(req, VERSION).version);
        const p = t.contract.properties;
        return {
          ...rowOf(t),
          consumers: t.consumers,
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
      },
    );
    app.get<{ Params: { type: string } }>(
      '/v1/event-types/:type/versions',
      { config: { summary: 'All versions of an event type', query: NONE } },
      (req) => {
        edge.query(req, NONE);
        found(req.params.type);
        return {
          type: req.params.type,
          versions: catalogue.versions(req.params.type).map((t) => ({
            version: t.version,
            schemaId: t.schemaId,
            dataschema: dataschemaUrn(t.type, t.version),
          })),
        };
      },
    );
    app.get<{ Params: { type: string } }>(
      '/v1/event-types/:type/sample',
      { config: { summary: 'A valid invented event of the newest version, ready to publish', query: SAMPLE } },
      (req, reply) => {
        const { seed } = edge.query(req, SAMPLE);
        const made = { id: randomUUID(), time: new Date(edge.now()).toISOString() };
        const event = sampleEvent(found(req.params.type), seed ?? 0, edge.caller(req), units, made);
        return reply.header('content-type', 'application/cloudevents+json').send(JSON.stringify(event));
      },
    );
  };
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
    subject: t.subject,
    subjectForm: t.subjectForm,
    ordering: t.ordering,
    restricted: t.restricted,
    availableFrom: t.availableFrom,
    schemaId: t.schemaId,
    dataschema: dataschemaUrn(t.type, t.version),
  };
}
