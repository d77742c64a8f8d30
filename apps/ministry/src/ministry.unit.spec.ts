import { describe, expect, it } from '@jest/globals';
import { Random } from './random.js';
import { DayClock } from './clock.js';
import { ministryKeys } from './keys.js';
import { lagOf } from './lag.js';
import { parseOptions } from './options.js';
import { foreigner, person } from './people.js';
import { Screen } from './screen/screen.js';
import { draw, number, plain, type Frame } from './screen/words.js';
import { Tally } from './tally.js';

describe('Random', () => {
  it('gives the same numbers for the same seed and part, and numbers drawn in one part do not change another part', () => {
    const a = new Random('s').fork('x');
    const root = new Random('s');
    root.next();
    const b = root.fork('x');
    expect([a.int(0, 1e6), a.hex(8)]).toEqual([b.int(0, 1e6), b.hex(8)]);
    expect(new Random('s').next()).not.toBe(new Random('t').next());
  });
  it('draws a sample without repeats, and all items when there are fewer', () => {
    const s = new Random('s').sample([1, 2, 3, 4, 5], 4);
    expect(new Set(s).size).toBe(4);
    expect(new Random('s').sample([1, 2], 9)).toHaveLength(2);
  });
});

describe('invented people', () => {
  it('have a NIK of 16 digits that begins with 99, which is no province', () => {
    const rng = new Random('people');
    for (let i = 0; i < 500; i++) {
      const p = i % 2 === 0 ? person(rng) : foreigner(rng);
      expect(p.nik).toMatch(/^99\d{14}$/);
      expect(p.tanggalLahir).toMatch(/^(19|20)\d\d-\d\d-\d\d$/);
    }
  });
});

describe('DayClock', () => {
  it('runs `speed` times faster than real time, converts local times of the three time zones, and stays within July 2021', () => {
    let wall = 0;
    const clock = new DayClock(1, 600, '05:30', () => wall);
    clock.begin();
    expect([clock.date, clock.label(), clock.iso()]).toEqual(['2021-07-15', '05.30', '2021-07-14T22:30:00.000Z']);
    wall = 60_000;
    expect(clock.label()).toBe('15.30');
    expect(clock.local('07:30', 'WIT')).toBe(clock.at('05:30'));
    expect(clock.local('07:30', 'WITA')).toBe(clock.at('06:30'));
    expect(new DayClock(17, 1, '05:30').date).toBe('2021-07-31');
    expect(new DayClock(18, 1, '05:30').date).toBe('2021-07-15');
    expect(clock.dateLabel('id')).toBe('15 Juli 2021');
  });
  it('runs due tasks in the order of their times, and stops while it is held', () => {
    let wall = 0;
    const clock = new DayClock(1, 60, '06:00', () => wall);
    clock.begin();
    const done: string[] = [];
    clock.plan(clock.at('06:02'), () => done.push('b'));
    clock.plan(clock.at('06:01'), () => done.push('a'));
    clock.plan(clock.at('06:30'), () => done.push('c'));
    clock.hold(true);
    wall = 5000;
    expect(clock.tick()).toBe(0);
    clock.hold(false);
    wall = 8000;
    expect(clock.tick()).toBe(2);
    expect(done).toEqual(['a', 'b']);
    expect(clock.planned).toBe(1);
  });
});

describe('ministryKeys', () => {
  it('lists one key for each unit that takes part and one for each outside party', () => {
    const need = ministryKeys([
      { id: 'SU00065', code: 'KANIM-36-SOEKARNO-HATTA', type: 'kanim' },
      { id: 'SU00006', code: 'ES1-DJPAS', type: 'eselon1' },
      { id: 'SU00001', code: 'KUMHAM', type: 'kementerian' },
    ]);
    expect(need.map((k) => `${k.unit}:${k.system}`)).toEqual([
      'SU00065:simkim',
      'SU00006:sdp',
      'EXT-DJA:simponi',
      'EXT-KPK:cekal',
      'EXT-POLRI:cekal',
      'EXT-KEJAGUNG:cekal',
      'EXT-DJP:cekal',
    ]);
  });
});

describe('parseOptions', () => {
  it('reads options with Indonesian as the default language, and reports a missing, wrong or unknown option', () => {
    const p = parseOptions(['--keys', 'k', '--history', 'h', '--day', '2']);
    expect(p).toMatchObject({ kind: 'play', options: { day: 2, lang: 'id', scale: 1 } });
    const wrongDay = ['--keys', 'k', '--history', 'h', '--day', 'x'];
    expect(parseOptions(wrongDay)).toMatchObject({
      kind: 'wrong',
      reason: expect.stringContaining('--day: harus angka di atas 0\n'),
    });
    expect(parseOptions([...wrongDay, '--lang', 'en'])).toMatchObject({
      kind: 'wrong',
      reason: expect.stringContaining('--day: a number above 0\n'),
    });
    expect(parseOptions(['--day', '1'])).toMatchObject({ kind: 'wrong' });
    expect(parseOptions(['--what'])).toMatchObject({ kind: 'wrong' });
  });
});

const frame: Frame = {
  date: '15 Juli 2021',
  time: '10.04',
  engine: 'embedded',
  url: 'http://127.0.0.1:8080',
  accepted: 12_408,
  refused: 37,
  lagSeconds: 0.1,
  units: 214,
  unitTotal: 770,
  progress: 0.58,
  stories: [],
  facts: [
    { label: '10.02', text: '31 dari 153 pos mengakui daftar v4' },
    { label: '10.03', text: 'Kanim Jakarta Barat menolak 1 paspor' },
    { label: '10.04', text: 'Lapas Wahai tersambung lagi, menyusulkan 96 laporan yang sangat panjang sekali' },
  ],
};

describe('Screen', () => {
  it('draws four lines that are never wider than the terminal, with numbers in the format of the language', () => {
    const lines = draw(frame, 'id', 110);
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(
      /^Simpul · sehari di kementerian · 15 Juli 2021, 10\.04 WIB {2,}mesin tertanam · http:\/\/127\.0\.0\.1:8080$/,
    );
    expect(lines[1]).toContain('diterima 12.408   ditolak 37   tertinggal 0,1 dtk   unit 214/770');
    expect(lines[1]).toContain('[████████░░░░░░] 58 %');
    for (const width of [40, 80, 110, 300])
      for (const l of draw(frame, 'en', width)) expect(l.length).toBeLessThanOrEqual(124);
    for (const l of draw(frame, 'id', 60)) expect(l.length).toBeLessThanOrEqual(60);
    expect(number(0.1, 'en', 1)).toBe('0.1');
  });
  it('redraws in place on a terminal, and writes plain lines without escape codes in a pipe', () => {
    const written: string[] = [];
    const out = { write: (t: string) => written.push(t), isTTY: true, columns: 100 };
    const live = new Screen(out, 'id', false, () => frame);
    live.show();
    live.show();
    expect(written[1]!.startsWith('\x1b[4A')).toBe(true);
    written.length = 0;
    new Screen({ write: (t) => written.push(t) }, 'id', false, () => frame).show();
    expect(written).toEqual([`${plain(frame, 'id')}\n`]);
    expect(written[0]).not.toContain('\x1b');
  });
  it('writes each story of the day as a line of its own in a pipe, once', () => {
    const written: string[] = [];
    const stories = [{ label: '08.10', text: 'Server Kanim Contoh mati' }];
    const screen = new Screen({ write: (t) => written.push(t) }, 'id', false, () => ({ ...frame, stories }));
    screen.show();
    stories.push({ label: '11.10', text: 'Server Kanim Contoh menyala lagi' });
    screen.show();
    screen.show();
    expect(written.filter((t) => t.includes('●'))).toEqual([
      '08.10 WIB  ● Server Kanim Contoh mati\n',
      '11.10 WIB  ● Server Kanim Contoh menyala lagi\n',
    ]);
  });
});

describe('Tally and lag', () => {
  it('replaces a fact by a newer fact of the same slot', () => {
    const t = new Tally();
    t.fact('ban', '10.00', '1 dari 153', '1 of 153');
    t.fact('x', '10.01', 'x', 'x');
    t.fact('ban', '10.02', '31 dari 153', '31 of 153');
    expect(t.facts(4).map((f) => f.id)).toEqual(['x', '31 dari 153']);
    for (const n of ['1', '2', '3']) t.story('10.03', `cerita ${n}`, `story ${n}`);
    t.fact('y', '10.04', 'y', 'y');
    expect(t.facts(4).map((f) => f.id)).toEqual(['cerita 2', 'cerita 3', '31 dari 153', 'y']);
  });
  it('reads the greatest lag of all views from the metrics, and undefined when there is none', () => {
    expect(lagOf('simpul_view_lag_seconds{view="a"} 0.1\nsimpul_view_lag_seconds{view="b"} 2.5\nx 9')).toBe(2.5);
    expect(lagOf('')).toBeUndefined();
  });
});
