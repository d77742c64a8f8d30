import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { asFault, type Fault } from '#faults';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMeta, openRegistry, type MetaTable, type Registry } from './index.js';
import { schemaKey, SCHEMAS_TOPIC } from './records.js';

const root = new URL('../../schemas/', import.meta.url).pathname;
const contracts = globSync('**/*.avsc', { cwd: root })
  .sort()
  .map((f) => readFileSync(join(root, f), 'utf8'));
const record = (name: string, ...fields: object[]): string =>
  JSON.stringify({ type: 'record', name, namespace: 'uji.coba', fields });
const A = { name: 'a', type: 'string' };
const B = { name: 'b', type: ['null', 'string'], default: null };

describe('the registry', () => {
  let dir: string;
  let log: EventLog;
  let closers: (() => Promise<void>)[];
  const open = async (on = log, defaultPartitions = 8): Promise<{ registry: Registry; meta: MetaTable }> => {
    const meta = await openMeta({ log: on });
    const registry = await openRegistry({ log: on, meta, defaultPartitions });
    closers.unshift(
      () => registry.close(),
      () => meta.close(),
    );
    return { registry, meta };
  };

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-registry-'));
    log = await openEmbeddedLog({ dir });
    closers = [() => log.close()];
  });
  afterEach(async () => {
    for (const close of closers) await close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('registers every contract of the ministry once, and creates the streams of their types', async () => {
    const { registry } = await open();
    const done = await registry.registerMissing(contracts);
    expect(done.map((d) => d.id).sort((a, b) => a - b)).toEqual(contracts.map((_, i) => i + 1));
    expect(registry.catalogue.types()).toHaveLength(contracts.length);
    const high = (await log.describe(SCHEMAS_TOPIC))[0]!.high;
    expect(await registry.registerMissing(contracts)).toEqual([]);
    expect((await log.describe(SCHEMAS_TOPIC))[0]!.high).toBe(high);
    const topics = new Set(await log.topics());
    for (const s of registry.catalogue.streams()) {
      expect(topics.has(s.name)).toBe(true);
      expect(s.partitions).toBe(s.ordering === 'stream' ? 1 : 8);
      expect(s.types.length).toBeGreaterThan(0);
    }
    expect(registry.catalogue.stream('imigrasi.cegah')).toMatchObject({ partitions: 1, ordering: 'stream' });
    expect(registry.catalogue.stream('pas.penghuni')).toMatchObject({ partitions: 8, subjectForm: 'pseudonym' });
  });

  it('gives a new stream pseudonyms of its own; one with a row of an earlier version, or with a topic and no row, keeps those of the deployment', async () => {
    const { registry, meta } = await open();
    await meta.write(() => ({ changes: [{ key: 'stream/pas.penghuni', row: { partitions: 8 } }], result: undefined }));
    await log.ensureTopic({ name: 'pas.remisi', partitions: 8, cleanup: 'keep' });
    await registry.registerMissing(contracts);
    const own = (name: string): unknown => registry.catalogue.stream(name)!.ownPseudonyms;
    expect([own('sdm.pegawai'), own('pas.penghuni'), own('pas.remisi')]).toEqual([true, undefined, undefined]);
    await registry.setRetention('sdm.pegawai', 8 * 86_400_000);
    expect(own('sdm.pegawai')).toBe(true);
  });

  it('has no version whose record cannot be read: its type takes no events, its id reads old events, and neither id nor version is used again', async () => {
    const { registry } = await open();
    const [first, last] = [contracts[0]!, record('Akhir', A)];
    const [type] = await registry.registerMissing([first]);
    const before = await registry.register('akhir', last);
    for (const [subject, value] of [
      [type!.subject, '{"subject":'],
      ['akhir', JSON.stringify({ subject: 'akhir', version: 1, schema: last })],
    ]) {
      const key = Buffer.from(schemaKey(subject!, 1));
      await log.append(SCHEMAS_TOPIC, 0, [{ key, value: Buffer.from(value!), headers: [] }]);
    }
    await registry.refresh();
    expect(registry.catalogue.types()).toEqual([]);
    expect(registry.catalogue.bySchemaId(type!.id)?.version).toBe(1);
    const { registry: loaded } = await open();
    expect(loaded.catalogue.types()).toEqual([]);
    const again = await loaded.register('akhir', last);
    expect([again.version, again.fresh]).toEqual([2, true]);
    expect(again.id).toBeGreaterThan(before.id);
  });

  it('drops a stream whose meta row cannot be read, and does not record its partitions anew', async () => {
    const { registry, meta } = await open();
    await registry.registerMissing(contracts);
    const row = { key: Buffer.from('stream/imigrasi.cegah'), value: Buffer.from('{"partitions":"1"}'), headers: [] };
    await log.append('_simpul.meta', 0, [row]);
    await meta.refresh();
    expect(registry.catalogue.stream('imigrasi.cegah')).toBeUndefined();
    await expect(registry.ensureStreams()).rejects.toMatchObject({ code: 'control_record_unreadable' });
    expect([...meta.damaged]).toEqual(['stream/imigrasi.cegah']);
  });

  it('loads registered schemas when it is opened again, and finds event types by name, version and schema id', async () => {
    const { registry } = await open();
    await registry.registerMissing(contracts);
    const { registry: again } = await open();
    const types = again.catalogue.types();
    expect(types.map((t) => t.type)).toEqual(registry.catalogue.types().map((t) => t.type));
    for (const t of types) {
      expect(again.catalogue.bySchemaId(t.schemaId)).toBe(t);
      expect(again.catalogue.version(t.type, 1)).toBe(t);
      expect(t.contract).toBe(t.contract);
    }
    expect(again.catalogue.newest('itjen.wbs.laporan-diterima')?.restricted).toBe(true);
    expect(again.catalogue.newest('a.b.c')).toBeUndefined();
  });

  it("writes schema records in the format of Confluent's registry", async () => {
    const { registry } = await open();
    await registry.register('uji.coba-uji.coba.X', record('X', A));
    const batch = await log.read(SCHEMAS_TOPIC, 0, 0n);
    if (batch.kind !== 'records') throw new Error('out of range');
    expect(batch.records.map((r) => [r.key?.toString(), JSON.parse(r.value!.toString())])).toEqual([
      [
        '{"keytype":"SCHEMA","subject":"uji.coba-uji.coba.X","version":1,"magic":1}',
        { subject: 'uji.coba-uji.coba.X', version: 1, id: 1, schema: record('X', A), deleted: false },
      ],
    ]);
  });

  it('gives one schema the same id under two subjects, and each new schema an id that was never used', async () => {
    const { registry } = await open();
    expect(await registry.register('s1', record('X', A))).toMatchObject({ id: 1, version: 1, fresh: true });
    expect(await registry.register('s2', ` ${record('X', A)}`)).toMatchObject({ id: 1, version: 1, fresh: true });
    expect(await registry.register('s1', record('X', A))).toMatchObject({ id: 1, version: 1, fresh: false });
    expect(await registry.register('s1', record('X', A, B))).toMatchObject({ id: 2, version: 2, fresh: true });
    expect(registry.schemas.versions('s1').map((s) => s.id)).toEqual([1, 2]);
  });

  it('refuses an invalid schema, an incompatible schema and a contract under the subject of another type, and writes nothing', async () => {
    const { registry } = await open();
    await registry.register('s1', record('X', A));
    await expect(registry.register('s1', '{"type":"recrod"}')).rejects.toMatchObject({ code: 'invalid_schema' });
    const wrong = registry.register('s1', record('X', { name: 'a', type: 'string' }, { name: 'c', type: 'int' }));
    const refused = await wrong.catch((e: unknown) => asFault(e));
    expect(refused).toMatchObject({ code: 'incompatible_schema', problems: [{ pointer: '/c' }] });
    expect(String((refused as Fault).problems[0]?.reason)).toContain('version 1');
    await expect(registry.register('elsewhere', contracts[0]!)).rejects.toMatchObject({ code: 'invalid_schema' });
    expect(registry.schemas.subjects()).toEqual(['s1']);
    expect(registry.schemas.versions('s1')).toHaveLength(1);
  });

  it('keeps the number of partitions that a stream was created with, whatever default a later process has', async () => {
    const { registry } = await open();
    await registry.registerMissing(contracts.slice(0, 5));
    const { registry: other } = await open(log, 64);
    await other.registerMissing(contracts);
    const early = new Set(
      registry.catalogue
        .types()
        .slice(0, 5)
        .map((t) => t.stream),
    );
    for (const s of other.catalogue.streams()) {
      const wanted = s.ordering === 'stream' ? 1 : early.has(s.name) ? expect.any(Number) : 64;
      expect(s.partitions).toEqual(wanted);
      expect(await log.describe(s.name)).toHaveLength(s.partitions);
    }
    expect(other.catalogue.stream(contractStream(contracts[0]!))!.partitions).not.toBe(64);
  });

  it('creates a stream with a retention only where its meta row has one, and the catalogue shows that retention (R6)', async () => {
    const stream = contractStream(contracts[0]!);
    const { registry, meta } = await open();
    await meta.write(() => ({
      changes: [{ key: `stream/${stream}`, row: { partitions: 2, retentionMs: 60_000 } }],
      result: undefined,
    }));
    await registry.registerMissing(contracts);
    const forgets = registry.catalogue.streams().filter((s) => s.retentionMs !== undefined);
    expect(forgets).toMatchObject([{ name: stream, partitions: 2, retentionMs: 60_000 }]);
    // ensureTopic with the same spec succeeds; with another retention it is a conflict.
    const spec = { name: stream, partitions: 2, cleanup: 'keep' as const };
    await log.ensureTopic({ ...spec, retentionMs: 60_000 });
    await expect(log.ensureTopic(spec)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('gives two processes that register at the same time different ids, and each process sees the schemas of the other', async () => {
    const otherLog = await openEmbeddedLog({ dir });
    const a = await open();
    const b = await open(otherLog);
    closers.splice(closers.length - 1, 0, () => otherLog.close());
    const seen = new Promise<string>((resolve) => {
      b.registry.onRegistered((t) => {
        resolve(t.type);
      });
    });
    const done = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? a : b).registry.register(`s${i}`, record(`R${i}`, A))),
    );
    expect(new Set(done.map((d) => d.id)).size).toBe(10);
    await a.registry.registerMissing([contracts[0]!]);
    expect(contracts[0]).toContain(await seen);
    await b.registry.refresh();
    expect(b.registry.schemas.subjects()).toEqual(a.registry.schemas.subjects());
  });
});

const contractStream = (schema: string): string => (JSON.parse(schema) as { simpul: { stream: string } }).simpul.stream;
