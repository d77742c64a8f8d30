import { afterEach, describe, expect, it } from '@jest/globals';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { openKafkaLog } from '#log-kafka';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { until } from '../../test/kit/projection/stage.js';
import { startUnitFold, UNITS_STREAM, type UnitFold, type UnitFoldDeps } from './follow.js';
import { openUnits, UNITS_TOPIC, type UnitMismatch, type UnitRegistry } from './open.js';
import type { Unit } from './unit.js';

const SPEC = { name: UNITS_STREAM, partitions: 1, cleanup: 'keep' } as const;
const SEEDED = 'SU00001';
const seed = {
  units: [
    {
      id: SEEDED,
      version: 1,
      code: 'PUSAT',
      name: 'Pusat',
      shortName: 'Pusat',
      type: 'kanim',
      timezone: 'Asia/Jakarta',
      tz: 'WIB',
      city: 'Jakarta',
      provinceCode: '31',
      lat: 0,
      lon: 0,
      validFrom: '2020-01-01',
      knownSince: '2020-01-01T00:00:00Z',
      basis: 'known',
    },
  ] as unknown as Unit[],
  asOf: '2021-01-01',
  unitTypes: [],
  externalParties: [],
};

/** A change of a unit, as the data of its event. */
const change = (unitId: string, kode: string, nama: string, peristiwa: string, berlakuMulai: string) => ({
  ...{ unitId, kode, nama, peristiwa, berlakuMulai },
  jenis: 'kanim',
  zonaWaktu: 'Asia/Jakarta',
  dasarHukum: 'Permenkumham',
  diketahuiSejak: `${berlakuMulai}T00:00:00Z`,
});
const founded = (n: number) => change(`SU9000${n}`, `BARU-${n}`, `Baru ${n}`, 'dibentuk', '2021-08-01');
const renamed = (nama: string) => change(SEEDED, 'PUSAT', nama, 'ganti_nama', '2021-09-01');

const kafkaReason = await noKafka();
const engines = {
  'on the embedded engine': async (opened: AsyncDisposableStack) => {
    const dir = mkdtempSync(join(tmpdir(), 'simpul-unit-fold-'));
    opened.defer(() => rmSync(dir, { recursive: true, force: true }));
    return openEmbeddedLog({ dir });
  },
  'on Kafka': async (opened: AsyncDisposableStack) => {
    const kafka = await testKafka();
    opened.defer(() => kafka.stop());
    return openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'units' });
  },
};

for (const [engine, openLog] of Object.entries(engines))
  (engine === 'on Kafka' && kafkaReason !== undefined ? describe.skip : describe)(`the fold of units ${engine}`, () => {
    let opened: AsyncDisposableStack;
    let log: EventLog;
    let registry: UnitRegistry;
    let fold: UnitFold | undefined;
    let refolds: UnitMismatch[];

    /** The changes as JSON: nothing of duplicates and rights takes part here. */
    const read: UnitFoldDeps['read'] = async (from, { topicId, max, waitMs, signal }) => {
      const got = await log.read(UNITS_STREAM, 0, from, { topicId, maxRecords: max, waitMs, signal });
      if (got.kind === 'recreated') throw new Fault('stream_recreated');
      if (got.kind !== 'records') throw new Fault('unknown_cursor');
      const events = got.records.map((r) => ({ offset: r.offset, data: JSON.parse(r.value!.toString()) as object }));
      return { events: events as Awaited<ReturnType<UnitFoldDeps['read']>>['events'], next: got.next };
    };
    const open = async (): Promise<void> => {
      opened = new AsyncDisposableStack();
      log = opened.adopt(await openLog(opened), (l) => l.close());
      await log.ensureTopic(SPEC);
      registry = opened.adopt(await openUnits({ log, now: () => Date.parse('2021-12-31T03:00:00Z') }), (r) =>
        r.close(),
      );
      await registry.seed(seed);
      refolds = [];
    };
    const start = (): void => {
      const refolding = (found: UnitMismatch): void => void refolds.push(found);
      fold = startUnitFold({ registry, log, read, waitMs: 200, report: { refolding } });
    };
    const publish = async (...changes: object[]): Promise<void> => {
      const records = changes.map((c) => ({ key: null, value: Buffer.from(JSON.stringify(c)), headers: [] }));
      const outcome = await log.append(UNITS_STREAM, 0, records);
      expect(outcome).toMatchObject({ kind: 'accepted' });
    };
    const remake = async (): Promise<void> => {
      await log.deleteTopic(UNITS_STREAM);
      await log.ensureTopic(SPEC);
    };
    const names = () => [SEEDED, 'SU90001', 'SU90002', 'SU90003'].map((id) => registry.units.get(id)?.name);
    afterEach(async () => {
      await fold?.stop();
      fold = undefined;
      await opened.disposeAsync();
    });

    it('begins anew when the stream was made again while it runs, with fewer changes and then with more, and tells it; nothing of the deleted stream stays', async () => {
      await open();
      start();
      await publish(founded(1), renamed('Pusat lama'));
      await until(() => names()[0] === 'Pusat lama');
      await remake();
      await publish(founded(2));
      await until(() => names()[2] === 'Baru 2');
      expect(names()).toEqual(['Pusat', undefined, 'Baru 2', undefined]);
      expect(refolds.map((r) => r.next)).toEqual([2n]);
      await remake();
      await publish(founded(3), renamed('Pusat 2'), renamed('Pusat 3'));
      await until(() => names()[0] === 'Pusat 3');
      expect(names()).toEqual(['Pusat 3', undefined, undefined, 'Baru 3']);
      expect(refolds.length).toBe(2);
      // and goes on
      await publish(founded(1));
      await until(() => names()[1] === 'Baru 1');
      expect(refolds.length).toBe(2);
    });

    it('begins anew when the stream was made again while no process folded, also when the new one has more changes', async () => {
      await open();
      start();
      await publish(founded(1));
      await until(() => names()[1] === 'Baru 1');
      await fold!.stop();
      await remake();
      await publish(founded(2), renamed('Pusat baru'), founded(3));
      start();
      await until(() => names()[3] === 'Baru 3');
      expect(names()).toEqual(['Pusat baru', undefined, 'Baru 2', 'Baru 3']);
      expect(refolds).toEqual([{ next: 1n, low: 0n, high: 3n }]);
    });

    it('believes once a place of an older release, unless the stream is shorter', async () => {
      await open();
      await publish(founded(1), founded(2));
      const place = async (next: number): Promise<void> => {
        const record = { key: Buffer.from('~position'), value: Buffer.from(`{"next":"${next}"}`), headers: [] };
        expect(await log.append(UNITS_TOPIC, 0, [record])).toMatchObject({ kind: 'accepted' });
        await registry.refresh();
      };
      await place(1);
      start();
      await until(() => names()[2] === 'Baru 2');
      expect([names()[1], refolds]).toEqual([undefined, []]);
      expect(registry.place).toMatchObject({ next: 2n, proof: expect.any(String) });
      await fold!.stop();
      await place(7);
      start();
      await until(() => names()[1] === 'Baru 1');
      expect(refolds).toEqual([{ next: 7n, low: 0n, high: 2n }]);
    });
  });
