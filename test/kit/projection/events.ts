import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { sample, type Data } from '#avro';
import { dataschemaUrn, digestOf, partitionOf, pseudonymOf, toHeaders } from '#event';
import type { LogRecord, NewRecord } from '#log';
import {
  CatalogueIndex,
  readProperties,
  schemaValue,
  registrySubject,
  decodeEvent,
  openRecord,
  type DecodedEvent,
} from '#registry';
import { compileView, parseView, type CompiledView } from '#projection';

const root = join(import.meta.dirname, '../../..');

/** The text of every view file, by view name. */
export function viewTexts(): ReadonlyMap<string, string> {
  const dir = join(root, 'schemas/views');
  const files = readdirSync(dir).filter((f) => f.endsWith('.view.json'));
  return new Map(files.sort().map((f) => [f.slice(0, -'.view.json'.length), readFileSync(join(dir, f), 'utf8')]));
}

/** The catalogue of the contracts in the repository. Streams have `partitions` partitions unless their contract sets a number. */
export function catalogueOfFiles(partitions = 4): CatalogueIndex {
  const catalogue = new CatalogueIndex();
  const files = readdirSync(join(root, 'schemas'), { recursive: true, encoding: 'utf8' }).filter((f) =>
    f.endsWith('.avsc'),
  );
  let id = 0;
  for (const file of files.sort()) {
    const schema = readFileSync(join(root, 'schemas', file), 'utf8');
    const p = readProperties(schema);
    if (!p) continue;
    catalogue.putSchema(
      schemaValue({ subject: registrySubject(p), version: p.version, id: ++id, schema, deleted: false }),
    );
    catalogue.putStream(p.stream, p.partitions ?? partitions);
  }
  return catalogue;
}

export const viewsOf = (catalogue: CatalogueIndex, ...names: string[]): CompiledView[] =>
  names.map((n) => compileView(parseView(viewTexts().get(n)!), catalogue));

export const DEPLOYMENT_KEY = Buffer.alloc(32, 7);

export interface EventSpec {
  readonly type: string;
  readonly data?: Data;
  readonly id?: string;
  readonly source?: string;
  readonly unitkode?: string;
  /** Extensions beside it. */
  readonly extensions?: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly time?: string;
  readonly recordedtime?: string;
}

let serial = 0;

/** A record as a gateway writes it: sample data of the contract, overwritten with `data`. */
export function recordOf(
  catalogue: CatalogueIndex,
  spec: EventSpec,
): { record: NewRecord; partition: number; stream: string } {
  const type = catalogue.newest(spec.type)!;
  const data: Data = { ...sample(type.contract, spec.seed ?? 1), ...spec.data };
  const clear = type.subject.map((f) => String(data[f])).join(':');
  const subject = type.subjectForm === 'pseudonym' ? pseudonymOf(clear, DEPLOYMENT_KEY) : clear;
  const encoded = type.contract.encode(data, type.schemaId);
  if (!encoded.ok) throw new Error(`invented data of ${spec.type} does not fit: ${JSON.stringify(encoded.problems)}`);
  const key = Buffer.from(subject);
  const headers = toHeaders(
    {
      id: spec.id ?? `e-${++serial}`,
      source: spec.source ?? 'urn:simpul:unit:SU00100:uji',
      type: spec.type,
      subject,
      time: spec.time ?? '2021-07-15T03:00:00Z',
      dataschema: dataschemaUrn(spec.type, type.version),
      extensions: { ...spec.extensions, ...(spec.unitkode === undefined ? {} : { unitkode: spec.unitkode }) },
    },
    { digest: digestOf(key, encoded.value), recordedtime: spec.recordedtime ?? '2021-08-01T00:00:00.000Z' },
  );
  return {
    record: { key, value: Buffer.from(encoded.value), headers },
    partition: partitionOf(key, catalogue.partitionsOf(type.stream)!),
    stream: type.stream,
  };
}

/** The same event at an offset, decoded as the projector gets it. */
export function foldEventOf(
  catalogue: CatalogueIndex,
  spec: EventSpec,
  offset: bigint,
  appendTimeMs = 0,
): DecodedEvent {
  const { record, partition, stream } = recordOf(catalogue, spec);
  const opened = openRecord({ ...record, offset, appendTimeMs, leaderEpoch: 0 } satisfies LogRecord, catalogue);
  if (opened.kind !== 'event') throw new Error(`not an event: ${opened.kind}`);
  return decodeEvent(opened, stream, partition)!;
}
