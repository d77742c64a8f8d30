import { beforeEach, describe, expect, it } from '@jest/globals';
import { ENDLESS, type LongWork, type Turn } from '#limits';
import { Reading } from '#reading';
import { recordOf, type EventSpec } from '../../test/kit/projection/events.js';
import { LogInMemory } from '../../test/kit/log-in-memory.js';
import { preview, type Matched, type PreviewDeps } from './index.js';
import { KANIM, KANWIL, NIK, PASSPORT, stageOf } from './subscriptions-stage.fixture.js';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-30T00:00:00Z');
const stage = stageOf();
const WANTED: Matched = { owner: KANIM, system: 'simkim', types: ['imigrasi.paspor.*'], filters: [], test: false };
let log: LogInMemory;
let deps: PreviewDeps;
let settledEnd: bigint;

beforeEach(() => {
  log = new LogInMemory(4);
  settledEnd = 1_000_000n;
  const settled = {
    end: () => settledEnd,
    waitFor: () => Promise.resolve(settledEnd),
    originalOf: () => undefined,
  };
  const { catalogue, units } = stage;
  const now = (): number => NOW;
  deps = { reading: new Reading({ log, settled, catalogue, units, now }), catalogue, units, now };
});

function append(ageMs: number, spec: Partial<EventSpec> = {}): void {
  const data = { nik: NIK, unitPenerbit: KANIM, ...spec.data };
  const source = `urn:simpul:unit:${KANIM}:simkim`;
  const recordedtime = new Date(NOW - ageMs).toISOString();
  const made = recordOf(stage.catalogue, { type: PASSPORT, source, recordedtime, ...spec, data });
  log.append(made.partition, made.record, NOW - ageMs);
}

describe('a preview', () => {
  it('counts what of the last 7 days was due, with the newest three as the owner sees them', async () => {
    append(8 * 24 * HOUR, { id: 'old' });
    for (let i = 9; i > 0; i--)
      append(i * HOUR, { id: `E-${i}`, seed: i, extensions: { korelasi: i % 2 ? 'ganjil' : 'genap' } });
    const all = await preview(WANTED, deps);
    expect([all.matched, all.since, all.incomplete]).toEqual([9, '2026-11-23T00:00:00.000Z', undefined]);
    expect(all.examples.map((e) => e.envelope.id)).toEqual(['E-3', 'E-2', 'E-1']);
    const odd = await preview({ ...WANTED, filters: [{ exact: { korelasi: 'ganjil' } }] }, deps);
    expect([odd.matched, odd.examples.map((e) => e.envelope.id)]).toEqual([5, ['E-5', 'E-3', 'E-1']]);
    expect(await preview({ ...WANTED, units: { function: 'lapas' } }, deps)).toMatchObject({
      matched: 0,
      examples: [],
    });
  });

  it('shows what the owner may read, and answers no question about the rest', async () => {
    append(HOUR);
    const masked = await preview({ ...WANTED, owner: KANWIL }, deps);
    expect(masked.examples.map((e) => [e.level, e.data['nik'], e.stored])).toEqual([['masked', '••••0001', undefined]]);
    const guess = { ...WANTED, owner: KANWIL, filters: [{ exact: { 'data.nik': NIK } }] };
    expect((await preview(guess, deps)).matched).toBe(0);
    expect((await preview({ ...WANTED, owner: 'SU00681' }, deps)).matched).toBe(0);
  });

  it('a stream that the owner may not know is one that does not exist', async () => {
    const wbs = { ...WANTED, types: ['itjen.#'] };
    expect(await preview(wbs, deps)).toEqual(await preview({ ...wbs, types: ['tidak.#'] }, deps));
  });

  it('says when its budget did not reach to the end', async () => {
    for (let i = 2_000; i > 0; i--) append(i, { id: `E-${i}`, seed: i });
    const cut = await preview(WANTED, { ...deps, maxRecords: 700 });
    expect(cut.incomplete).toBe(true);
    expect(cut.matched).toBeGreaterThan(300);
    expect(cut.matched).toBeLessThanOrEqual(1_300);
    expect(await preview(WANTED, { ...deps, maxRecords: 2_000 })).toMatchObject({ matched: 2_000 });
    let ms = NOW;
    expect((await preview(WANTED, { ...deps, now: () => (ms += 4_000) })).incomplete).toBe(true);
  });

  it('looks at no more records than its budget, however many streams there are', async () => {
    for (let i = 2_000; i > 0; i--) append(i, { id: `E-${i}`, seed: i });
    let scanned = 0;
    const turn: Turn = { ...ENDLESS, scanned: (_what, n) => void (scanned += n) };
    const imigrasi = { ...WANTED, types: ['imigrasi.#'] };
    const all = await preview(imigrasi, { ...deps, maxRecords: 1_000 }, { run: (inside) => inside(turn) });
    expect([all.incomplete, scanned]).toEqual([true, 1_000]);
  });

  it('says when not all is settled', async () => {
    append(HOUR, { id: 'a' });
    settledEnd = 0n;
    expect(await preview(WANTED, deps)).toMatchObject({ matched: 0, incomplete: true });
  });

  it('is made in turns of who asks, and each record is charged', async () => {
    for (let i = 1_200; i > 0; i--) append(i, { id: `E-${i}`, seed: i });
    let scanned = 0;
    let runs = 0;
    const turn: Turn = { ...ENDLESS, scanned: (what, n) => void (scanned += what === 'records' ? n : 0) };
    const work: LongWork = {
      run: (inside) => {
        runs++;
        return inside(turn);
      },
    };
    expect((await preview(WANTED, deps, work)).matched).toBe(1_200);
    expect(runs).toBeGreaterThan(2);
    expect(scanned).toBe(1_200);
  });
});
