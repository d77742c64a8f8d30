import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OnEvent, SimpulModule, type SimpulOptions } from '#nest-kit';
import { defineEvent } from '#sdk';
import { kafkaHub, noKafkaHub, type KafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../log/conformance/kit.js';
import { kafka } from './index.js';
import { sampleOf, STREAM, TYPE, UNIT } from './stage.fixture.js';

const reason = noKafkaHub();
const suite = reason === undefined ? describe : describe.skip;

type Data = Readonly<Record<string, unknown>>;
interface Schema {
  readonly namespace: string;
  readonly name: string;
  readonly simpul: object;
  readonly fields: readonly object[];
}

suite(`events of other versions, from Kafka to @OnEvent${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let hub: KafkaHub;
  let key: string;
  /** Of the hub at its start. */
  let version: number;
  let schema: Schema;
  const apps: INestApplicationContext[] = [];
  let group = 0;

  const withField = (more: number, field: object): string =>
    JSON.stringify({
      ...schema,
      simpul: { ...schema.simpul, version: version + more },
      fields: [...schema.fields, { pii: 'none', ...field }],
    });
  const newer = (): string => withField(1, { name: 'catatanUji', type: ['null', 'string'], default: null });
  /** An app whose token has this version; `seen` is what its handler gets. */
  const start = async (of: number, text: string, options: Partial<SimpulOptions> = {}): Promise<Data[]> => {
    const seen: Data[] = [];
    @Injectable()
    class Passports {
      @OnEvent(defineEvent<Data>({ type: TYPE, stream: STREAM, version: of, schema: text }))
      issued(data: Data): void {
        seen.push(data);
      }
    }
    const source = kafka({ brokers: hub.brokers, prefix: hub.prefix, group: `${hub.prefix}g${++group}` });
    @Module({
      imports: [SimpulModule.forRoot({ url: hub.url, key, source, ...options })],
      providers: [Passports],
    })
    class AppModule {}
    apps.push(await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false }));
    return seen;
  };

  beforeAll(async () => {
    hub = await kafkaHub();
    key = await hub.key(UNIT, 'publisher', 'reader');
    const type = hub.core.registry.catalogue.newest(TYPE)!;
    version = type.version;
    schema = JSON.parse(type.contract.schemaText) as Schema;
    const { data, ...sample } = await sampleOf(hub, key);
    const publish = (of: number, more: object): Promise<unknown> => {
      const dataschema = `urn:simpul:schema:${TYPE}:${of}`;
      const event = { ...sample, id: `V-${of}`, dataschema, subject: undefined };
      return hub.publish(key, [{ ...event, data: { ...data, nomorPermohonan: 'X1', ...more } }]);
    };
    await publish(version, {});
    await hub.core.registry.register(`${STREAM}-${schema.namespace}.${schema.name}`, newer());
    await publish(version + 1, { catatanUji: 'baru' });
    expect((await hub.readAll(key, STREAM)).map((e) => e['dataschema'])).toEqual(
      [version, version + 1].map((v) => `urn:simpul:schema:${TYPE}:${v}`),
    );
  }, 120_000);
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });
  afterAll(async () => {
    await hub?.close();
  }, 60_000);

  it('arrive in the version of the token: a newer one without its new field, an older one with the default of the field that it lacks', async () => {
    const [old, now] = await Promise.all([start(version, JSON.stringify(schema)), start(version + 1, newer())]);
    await until('both events', () => old.length === 2 && now.length === 2);
    expect(old.map((data) => 'catatanUji' in data)).toEqual([false, false]);
    expect(Object.keys(old[1]!)).toEqual(Object.keys(old[0]!));
    expect(now.map(({ catatanUji }) => catatanUji)).toEqual([null, 'baru']);
    expect(now[0]).toEqual({ ...old[0], catatanUji: null });
  });

  it('that the token cannot read end the app with one line that names both versions, the field and the remedy', async () => {
    const faults: Error[] = [];
    const seen = await start(version + 2, withField(2, { name: 'wajibUji', type: 'string' }), {
      ended: (fault) => void faults.push(fault as Error),
    });
    await until('the fault', () => faults.length > 0);
    expect(faults[0]).toMatchObject({ code: 'version_not_readable' });
    expect(faults[0]!.message).toMatch(
      new RegExp(
        `^version ${version + 2} of ${TYPE} in this app cannot read an event of version ${version}: .*wajibUji.*\`simpul type gen\`$`,
      ),
    );
    expect(seen).toEqual([]);
  });
});
