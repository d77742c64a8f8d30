import { describe, expect, it, jest } from '@jest/globals';
import { catalogueOfFiles, foldEventOf } from '../../test/kit/projection/events.js';
import { keyText, REFUSED_KEPT, REFUSED_OF_OFFICE, RefusedRing } from './index.js';
import { REFUSED_COUNT, refusedKeys } from './refused.js';

const catalogue = catalogueOfFiles();
let offset = 0n;

class Kept {
  ring = new RefusedRing();
  readonly rows = new Map<string, string>();

  /** An event of the source that the view refuses. */
  add(source: string, key: string, times = 1): this {
    for (let i = 0; i < times; i++) {
      const event = foldEventOf(catalogue, { type: 'layanan.kasus.status-berubah', source }, offset++);
      const { rows } = this.ring.add({ reason: 'not_owner', key, owner: 'SU00001' }, event);
      for (const [k, value] of rows) this.rows.set(k, JSON.stringify(value));
    }
    return this;
  }
  /** As after a restart. */
  reopen(): this {
    this.ring = new RefusedRing([...this.rows].map(([key, value]) => ({ key, value })));
    return this;
  }
  get events(): { n: number; source: string; key: string }[] {
    const rows = [...this.rows].filter(([key]) => key !== REFUSED_COUNT);
    return rows.map(([, text]) => {
      const { n, w, k } = JSON.parse(text) as { n: number; w: [string]; k: string };
      return { n, source: w[0], key: k };
    });
  }
  of(source: string, key?: string): number {
    return this.events.filter((e) => e.source === source && (key === undefined || e.key === key)).length;
  }
  get count(): unknown {
    return JSON.parse(this.rows.get(REFUSED_COUNT)!);
  }
}
const sourceOf = (unit: number, system = 'uji'): string =>
  `urn:simpul:unit:SU${String(unit).padStart(5, '0')}:${system}`;
const [LOUD, QUIET] = [sourceOf(1), sourceOf(2)];

describe('the refused events that a view partition keeps', () => {
  it('lie under keys that no data can make: a removed entry of that key would stand where a refused event is read', () => {
    const keys = refusedKeys();
    expect(keys.filter((key) => keys.includes(keyText(key)))).toEqual([]);
    expect(keyText('\u0001refused/0003')).toBe('%01refused/0003');
    expect(keyText('a:b%c\n')).toBe('a%3Ab%25c%0A');
  });

  it('and keys of different values differ, whatever separators the values hold', () => {
    const parts = ['', '-', '%2D', '%', ':', '%3A', 'a', 'a:b', 'b', '\n', '\u0001', '%01', '/', '|', ' '];
    const pairs = parts.flatMap((a) => parts.map((b) => [a, b] as const));
    expect(new Set(pairs.map((pair) => pair.map(keyText).join(':'))).size).toBe(pairs.length);
    expect([keyText(undefined), keyText(null)]).toEqual(['-', '-']);
  });

  it('are bounded for each source: 210 events of one push no event of another out, and a count of them remains', () => {
    const kept = new Kept().add(QUIET, 'K-1').add(LOUD, 'K-2', 210);
    expect([kept.of(QUIET), kept.of(LOUD)]).toEqual([1, REFUSED_OF_OFFICE]);
    expect(kept.count).toEqual({ n: 211, out: { [LOUD]: 210 - REFUSED_OF_OFFICE } });
    const newest = Math.min(...kept.events.filter((e) => e.source === LOUD).map((e) => e.n));
    expect(newest).toBe(211 - REFUSED_OF_OFFICE);
  });

  it('are bounded for all systems of an office together, and one system pushes no event of another out', () => {
    const [one, other] = [sourceOf(1, 'satu'), sourceOf(1, 'dua')];
    const kept = new Kept().add(one, 'K-1').add(other, 'K-2', 300).add(QUIET, 'K-3', 10);
    expect([kept.of(one), kept.of(other), kept.of(QUIET)]).toEqual([1, REFUSED_OF_OFFICE - 1, 10]);
  });

  it('are bounded for each entry: nobody hides what it tried by trying something else very often', () => {
    const kept = new Kept().add(LOUD, 'the one that counts').add(LOUD, 'noise', 210);
    expect(kept.of(LOUD, 'the one that counts')).toBe(1);
  });

  it('are bounded in all: the office with the most gives room, and every other keeps what it has', () => {
    const kept = new Kept();
    for (let unit = 1; unit <= 6; unit++) kept.add(sourceOf(unit), `K-${unit}`, REFUSED_OF_OFFICE);
    kept.add(sourceOf(7), 'K-7', 3);
    expect(kept.events).toHaveLength(REFUSED_KEPT);
    expect(kept.of(sourceOf(7))).toBe(3);
    const parts = [1, 2, 3, 4, 5, 6].map((unit) => kept.of(sourceOf(unit)));
    expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
  });

  it('are the same however often the process is started again, and the counts of what fell out are bounded', () => {
    const at = offset;
    const tried = (kept: Kept, again: () => void): Kept => {
      offset = at;
      for (let i = 0; i < 700; i++) {
        kept.add(sourceOf(1 + ((i * i) % 331), i % 3 === 0 ? 'satu' : 'dua'), `K-${i % 5}`);
        again();
      }
      return kept;
    };
    const whole = tried(new Kept(), () => undefined);
    const reopened = new Kept();
    tried(reopened, () => reopened.reopen());
    expect(new Map(reopened.rows)).toEqual(new Map(whole.rows));
    expect(whole.events).toHaveLength(REFUSED_KEPT);
    for (let unit = 1000; unit < 1500; unit++) whole.add(sourceOf(unit), 'K', 1);
    const { n, out } = whole.count as { n: number; out: Record<string, number> };
    expect(Object.keys(out).length).toBeLessThanOrEqual(201);
    expect(Object.values(out).reduce((a, b) => a + b)).toBe(n - REFUSED_KEPT);
  });

  it('are kept without a look at those of other offices, because a batch may refuse 500 events', () => {
    const kept = new Kept();
    for (let unit = 1; unit <= 4; unit++) kept.add(sourceOf(unit), 'K-1', REFUSED_OF_OFFICE);
    const parse = JSON.parse.bind(JSON);
    let reads = 0;
    const count = (row: object): object =>
      new Proxy(row, { get: (of, name) => (name === 'w' && reads++, Reflect.get(of, name) as unknown) });
    const parsed = jest.spyOn(JSON, 'parse').mockImplementation((text) => count(parse(text) as object) as never);
    kept.reopen();
    parsed.mockRestore();
    reads = 0;
    kept.add(sourceOf(1), 'K-1');
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(1.5 * REFUSED_OF_OFFICE);
  });

  it('go on from the rows of an earlier release, in which one source had every place', () => {
    const kept = new Kept().add(LOUD, 'K-1', REFUSED_OF_OFFICE);
    for (let n = REFUSED_OF_OFFICE; n < REFUSED_KEPT; n++) {
      const row = JSON.parse(kept.rows.get('\u0001refused/0000')!) as object;
      kept.rows.set(`\u0001refused/${String(n).padStart(4, '0')}`, JSON.stringify({ ...row, n }));
    }
    kept.rows.set(REFUSED_COUNT, JSON.stringify({ n: 1000 }));
    kept.reopen().add(QUIET, 'K-2').add(LOUD, 'K-3');
    expect([kept.of(QUIET), kept.of(LOUD), kept.of(LOUD, 'K-3')]).toEqual([1, REFUSED_KEPT - 1, 1]);
    expect(kept.count).toEqual({ n: 1002, out: { [LOUD]: 2 } });
  });
});
