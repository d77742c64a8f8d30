import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startUnitFold, UNITS_STREAM } from './follow.js';
import { openUnits, UNITS_TOPIC, type SkippedChange, type UnitEvent, type UnitRegistry } from './open.js';
import { readUnitSeed } from './seed.js';

const seed = readUnitSeed(readFileSync(new URL('../../schemas/units.json', import.meta.url), 'utf8'));
const rename = (offset: bigint, nama: string, berlakuMulai: string): UnitEvent => ({
  offset,
  data: {
    unitId: 'SU00123',
    kode: 'K',
    peristiwa: 'ganti_nama',
    nama,
    jenis: 'kanim',
    zonaWaktu: 'Asia/Jakarta',
    berlakuMulai,
    dasarHukum: 'Permenkumham',
    diketahuiSejak: `${berlakuMulai}T00:00:00Z`,
  },
});

describe('the registry of units', () => {
  let dir: string;
  let log: EventLog;
  let opened: UnitRegistry[];
  const open = async (on = log): Promise<UnitRegistry> => {
    const r = await openUnits({ log: on, now: () => Date.parse('2021-12-31T03:00:00Z') });
    opened.push(r);
    return r;
  };
  const end = async (): Promise<bigint> => (await log.describe(UNITS_TOPIC))[0]!.high;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-units-'));
    log = await openEmbeddedLog({ dir });
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((r) => r.close()));
    await log.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('seeds 770 units at the first start and writes nothing at a second start', async () => {
    const first = await open();
    expect(await first.seed(seed)).toBe(770);
    const written = await end();
    expect(await first.seed(seed)).toBe(0);
    const second = await open();
    expect(second.units.size).toBe(770);
    expect(second.units.get('SU00123')).toEqual(first.units.get('SU00123'));
    expect(await second.seed(seed)).toBe(0);
    expect(await end()).toBe(written);
  });

  it('seeds only the units that are missing; a unit that an event changed stays as it is', async () => {
    const r = await open();
    const founded = rename(0n, 'Kanim Baru', '2021-08-01');
    await r.fold({ next: 0n }, [{ ...founded, data: { ...founded.data, peristiwa: 'dibentuk' } }], { next: 1n });
    await r.seed(seed);
    expect(r.units.get('SU00123')).toMatchObject({ name: 'Kanim Baru', basis: 'founded' });
    expect(r.units.size).toBe(770);
  });

  it('has no unit whose record cannot be read; neither the seed nor an event makes it new, and a position that cannot be read stops the fold', async () => {
    const r = await open();
    await r.seed(seed);
    await r.fold({ next: 0n }, [rename(0n, 'A', '2021-08-01')], { next: 1n });
    const damage = async (key: string, value: string): Promise<void> => {
      const record = { key: Buffer.from(key), value: Buffer.from(value), headers: [] };
      expect(await log.append(UNITS_TOPIC, 0, [record])).toMatchObject({ kind: 'accepted' });
      await r.refresh();
    };
    await damage('SU00123', '{"rows":[{"id":"SU00124"}]}');
    const loaded = await open();
    for (const u of [r, loaded]) expect([u.units.get('SU00123'), u.units.size]).toEqual([undefined, 769]);
    expect(await r.seed(seed)).toBe(0);
    const unreadable = { code: 'control_record_unreadable' };
    await expect(r.fold({ next: 1n }, [rename(1n, 'B', '2021-09-01')], { next: 2n })).rejects.toMatchObject(unreadable);
    await r.fold({ next: 1n }, [], { next: 2n });
    expect(r.place.next).toBe(2n);
    await damage('~position', '{"next":2}');
    await expect(r.fold({ next: 0n }, [], { next: 5n })).rejects.toMatchObject(unreadable);
  });

  it('folds each event once, even when the same or another process offers it again', async () => {
    const r = await open();
    await r.seed(seed);
    const events = [rename(3n, 'A', '2021-08-01'), rename(5n, 'B', '2021-09-01')];
    await r.fold({ next: 0n }, events, { next: 6n });
    expect(r.place.next).toBe(6n);
    const after = r.units.allRows('SU00123');
    await r.fold({ next: 0n }, events, { next: 6n });
    expect(r.place.next).toBe(6n);
    const other = await open();
    expect(other.place.next).toBe(6n);
    await other.fold({ next: 0n }, events, { next: 6n });
    expect(other.units.allRows('SU00123')).toEqual(after);
    expect(other.units.history('SU00123').map((u) => u.name)).toEqual([expect.any(String), 'A', 'B']);
  });

  it('skips as a whole a change that does not fit after the changes before it, reports it once, and continues', async () => {
    const r = await open();
    await r.seed(seed);
    const move = (offset: bigint, unitId: string, indukTeknis: string): UnitEvent => {
      const { name, code, timezone, type } = r.units.get(unitId)!;
      const data = { unitId, kode: code, nama: name, jenis: type, zonaWaktu: timezone, indukTeknis };
      return { offset, data: { ...data, peristiwa: 'pindah_induk', berlakuMulai: '2021-08-01' } };
    };
    const events = [
      move(0n, 'SU00123', 'SU00124'),
      move(1n, 'SU00124', 'SU00123'),
      { offset: 2n, data: { ...rename(2n, 'Tanpa pendirian', '2021-08-01').data, unitId: 'SU99999' } },
      rename(3n, 'A', '2021-09-01'),
    ];
    const skipped: SkippedChange[] = [];
    await r.fold({ next: 0n }, events, { next: 4n }, { changeSkipped: (c) => skipped.push(c) });
    expect(r.place.next).toBe(4n);
    expect(skipped.map((c) => [c.offset, c.problems.map((p) => p.pointer)])).toEqual([
      [1n, ['/data/indukTeknis']],
      [2n, ['/data/unitId']],
    ]);
    expect(r.units.allRows('SU00124')).toHaveLength(1);
    expect(r.units.get('SU99999')).toBeUndefined();
    expect(r.units.get('SU00123')).toMatchObject({ name: 'A', technicalParent: 'SU00124' });
    const other = await open();
    await other.fold({ next: 0n }, events, { next: 4n }, { changeSkipped: (c) => skipped.push(c) });
    expect(other.place.next).toBe(4n);
    expect(skipped).toHaveLength(2);
  });

  it('ends with the same rows in two processes that fold at the same time', async () => {
    const otherLog = await openEmbeddedLog({ dir });
    const [a, b] = [await open(), await open(otherLog)];
    await a.seed(seed);
    const stream = Array.from({ length: 40 }, (_, i) =>
      rename(BigInt(i), `Nama ${i}`, `2021-08-${String((i % 28) + 1).padStart(2, '0')}`),
    );
    await log.ensureTopic({ name: UNITS_STREAM, partitions: 1, cleanup: 'keep' });
    const records = stream.map((e) => ({ key: null, value: Buffer.from(String(e.offset)), headers: [] }));
    expect(await log.append(UNITS_STREAM, 0, records)).toMatchObject({ kind: 'accepted' });
    const errors: unknown[] = [];
    const folds = [a, b].map((registry) =>
      startUnitFold({
        registry,
        log,
        waitMs: 5,
        report: { foldFailed: (e) => errors.push(e) },
        read: (from, { waitMs, signal }) =>
          new Promise((done) => {
            const events = stream.filter((e) => e.offset >= from).slice(0, 3);
            const next = events.length > 0 ? events.at(-1)!.offset + 1n : from;
            if (events.length > 0) done({ events, next });
            else setTimeout(() => done({ events, next }), signal.aborted ? 0 : waitMs);
          }),
      }),
    );
    while (a.place.next < 40n || b.place.next < 40n) await new Promise((r) => setImmediate(r));
    await Promise.all(folds.map((f) => f.stop()));
    await Promise.all([a.refresh(), b.refresh()]);
    expect(errors).toEqual([]);
    expect(b.units.allRows('SU00123')).toEqual(a.units.allRows('SU00123'));
    expect(new Set(a.units.allRows('SU00123').map((u) => u.version)).size).toBe(41);
    await b.close();
    opened = [a];
    await otherLog.close();
  });
});
