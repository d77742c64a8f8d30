import { describe, expect, it } from '@jest/globals';
import { todayOf } from '#event';
import { UnitTree, type Unit } from '#units';
import { random } from '../../test/kit/random.js';
import { Book, type WatchRow } from './book.js';
import type { Expectation } from './expectation.js';
import type { Sighting } from './source-watch.js';

const START = Date.parse('2026-11-30T02:00:00Z');
const MINUTE = 60_000;
const DAILY: Expectation = {
  type: 'pas.hunian.dilaporkan',
  stream: 'pas.hunian',
  every: 'day',
  until: '10:00',
  zone: 'WIB',
  from: ['type:lapas'],
};
const lapas = (id: string): Unit => ({
  id,
  version: 1,
  code: id,
  name: id,
  shortName: id,
  type: 'lapas',
  provinceCode: '31',
  city: 'Kota',
  timezone: 'Asia/Jakarta',
  tz: 'WIB',
  validFrom: '2021-01-01',
  knownSince: '2021-01-01T00:00:00Z',
});
const units = new UnitTree(todayOf(() => START));
for (const id of ['SU00001', 'SU00002', 'SU00003']) units.put(id, [lapas(id)]);

const at = (system: string, offset: number, more: Partial<Sighting> = {}): Sighting => ({
  source: `urn:simpul:unit:SU00001:${system}`,
  unit: 'SU00001',
  system,
  stream: 'pas.hunian',
  partition: 0,
  offset: BigInt(offset),
  position: `pas.hunian/0/${offset}`,
  recordedMs: START + offset * 1_000,
  timeMs: undefined,
  sentMs: undefined,
  number: undefined,
  ...more,
});

describe('the memory of a unit', () => {
  it('is 64 pairs of system and stream: the one that was quiet longest makes room, and its row is deleted', () => {
    const book = new Book({ units });
    for (let n = 0; n < 64; n++) book.see(at(`s${n}`, n));
    book.see(at('s0', 64));
    book.takeChanges();
    book.see(at('s64', 65));
    expect(book.takeChanges()).toEqual([
      { key: 's/urn:simpul:unit:SU00001:s1/pas.hunian', row: undefined },
      { key: 's/urn:simpul:unit:SU00001:s64/pas.hunian', row: expect.objectContaining({ kind: 'source' }) as unknown },
    ]);
    expect(book.unwatched).toBe(0);
  });

  it('is full of open findings: further systems are not watched, and counted; other units have their own room', () => {
    const book = new Book({ units, limits: { ofOne: 2 } });
    for (const n of [0, 1]) book.see(at(`s${n}`, n, { sentMs: 0 }));
    for (let n = 2; n < 100; n++) book.see(at(`s${n}`, n));
    expect(book.unwatched).toBe(98);
    expect([...book.findings()]).toHaveLength(2);
    book.see(at('lain', 100, { source: 'urn:simpul:unit:SU00002:lain', unit: 'SU00002', sentMs: 0 }));
    expect([...book.findings()]).toHaveLength(3);
  });
});

describe('deadlines', () => {
  it('that passed before the type was first watched are nobody’s; the next one counts, once', () => {
    const book = new Book({ units });
    const deadline = Date.parse('2026-11-30T03:00:00Z');
    expect(book.pending([DAILY], deadline + 5 * MINUTE)).toEqual(new Set(['pas.hunian']));
    book.tick('pas.hunian', [DAILY], deadline + 5 * MINUTE, deadline + 5 * MINUTE);
    expect([...book.findings()]).toEqual([]);
    expect(book.pending([DAILY], deadline + 24 * 60 * MINUTE)).toEqual(new Set());
    const next = deadline + 24 * 60 * MINUTE + MINUTE;
    expect(book.pending([DAILY], next)).toEqual(new Set(['pas.hunian']));
    book.report(DAILY, { unit: 'SU00002', type: DAILY.type, day: undefined, recordedMs: next - 2 * MINUTE });
    book.tick('pas.hunian', [DAILY], next, next);
    expect([...book.findings()].map(({ unit }) => unit)).toEqual(['SU00001', 'SU00003']);
    book.tick('pas.hunian', [DAILY], next + MINUTE, next + MINUTE);
    expect([...book.findings()]).toHaveLength(2);
  });

  it('are not judged by a stream that was not read to the deadline', () => {
    const book = new Book({ units });
    book.tick('pas.hunian', [DAILY], START, START);
    book.tick('pas.hunian', [DAILY], START + 50 * MINUTE, START + 24 * 60 * MINUTE);
    expect([...book.findings()]).toEqual([]);
  });
});

/** What is stored and told survives; what was only in memory is folded again from the stored place. */
describe('a process that ends at any step', () => {
  it.each(Array.from({ length: 40 }, (_, n) => n + 1))('loses no finding and tells none twice (seed %i)', (seed) => {
    const next = random(seed);
    const events = Array.from({ length: 120 }, (_, offset) => {
      const recordedMs = START + offset * 45_000;
      const sentMs = next() < 0.1 ? recordedMs - 30 * MINUTE : recordedMs;
      // Numbers with gaps, some filled late.
      const number = next() < 0.15 ? undefined : Math.max(1, offset + 1 - Math.floor(next() * 4) * 3);
      return at('sdp', offset, { recordedMs, sentMs, number });
    });
    const limits = { resends: 1 };
    const run = (crashes: () => boolean): readonly string[] => {
      const stored = new Map<string, WatchRow>();
      let place = 0;
      const told: string[] = [];
      let book = new Book({ units, limits });
      let read = 0;
      const open = (): void => {
        book = new Book({ units, limits });
        for (const row of stored.values()) book.load(JSON.parse(JSON.stringify(row)) as WatchRow);
        read = place;
      };
      for (;;) {
        const end = Math.min(read + 10, events.length);
        for (; read < end; read++) {
          book.see(events[read]!);
          book.tick('pas.hunian', [], events[read]!.recordedMs, events[read]!.recordedMs);
        }
        if (crashes()) {
          open();
          continue;
        }
        const untold = book.untold();
        for (const { key, row } of book.takeChanges()) {
          if (row === undefined) stored.delete(key);
          else stored.set(key, row);
        }
        if (crashes()) {
          open();
          continue;
        }
        place = read;
        for (const finding of untold) {
          if (finding.told === undefined) told.push(`${finding.id}/begin`);
          if (finding.untilMs !== undefined) told.push(`${finding.id}/end`);
        }
        if (crashes()) {
          open();
          continue;
        }
        for (const finding of untold) book.told(finding, finding.untilMs === undefined ? 'begin' : 'end');
        if (read === events.length && book.untold().length === 0) return told;
      }
    };
    const whole = run(() => false);
    expect(new Set(whole).size).toBe(whole.length);
    const broken = run(() => next() < 0.25);
    // An id that is offered twice is a duplicate for the hub.
    expect([...new Set(broken)].sort()).toEqual([...whole].sort());
  });
});
