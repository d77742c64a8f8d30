import { describe, expect, it } from '@jest/globals';
import type { DecodedEvent } from '#registry';
import {
  fold,
  mergeEntries,
  type CompiledView,
  type Contribution,
  type Desk,
  type Refused,
  type Removed,
  type Stored,
} from './index.js';
import { add, compareNumeric } from './exact.js';
import { catalogueOfFiles, foldEventOf, viewsOf, type EventSpec } from '../../test/kit/projection/events.js';

const catalogue = catalogueOfFiles();

class PlainDesk implements Desk {
  readonly entries = new Map<string, Stored>();
  readonly parts = new Map<string, Contribution>();
  entry = (k: string) => this.entries.get(k);
  part = (k: string) => this.parts.get(k);
  putEntry(k: string, v: Stored | undefined): void {
    if (v) this.entries.set(k, v);
    else this.entries.delete(k);
  }
  readonly removals = new Map<string, Removed>();
  readonly refused: Refused[] = [];
  removed = (k: string) => this.removals.get(k);
  putRemoved(k: string, v: Removed | undefined): void {
    if (v) this.removals.set(k, v);
    else this.removals.delete(k);
  }
  refuse = (refused: Refused): void => void this.refused.push(refused);
  putPart(k: string, v: Contribution | undefined): void {
    if (v) this.parts.set(k, v);
    else this.parts.delete(k);
  }
}

let offset = 0n;
const at = (type: string, data: EventSpec['data'] = {}, more: Partial<EventSpec> = {}): DecodedEvent =>
  foldEventOf(catalogue, { type, data, ...more }, offset++);

/** From a unit or party. */
const by = (owner: string): Partial<EventSpec> => ({
  source: `urn:simpul:${owner.startsWith('EXT-') ? 'party' : 'unit'}:${owner}:uji`,
});

function run(name: string, events: readonly DecodedEvent[]): { view: CompiledView; desk: PlainDesk } {
  const view = viewsOf(catalogue, name)[0]!;
  const desk = new PlainDesk();
  for (const e of events) fold(view, e, desk);
  return { view, desk };
}

describe('merge', () => {
  const applied = { nomorPermohonan: 'P-1', unitPenerima: 'SU00101' };

  it('remembers which offices the newest event of a source leaves out, the newest 16, and forgets one that is named again', () => {
    const type = 'layanan.kasus.status-berubah';
    const [A, B, C] = ['SU00101', 'SU00102', 'SU00103'];
    const events: DecodedEvent[] = [];
    const former = (unit: string, unitPemegang: string): readonly string[] => {
      events.push(at(type, { nomorKasus: 'K-1', unitPemegang, unitSebelumnya: null }, by(unit)));
      const { desk } = run('layanan.kasus-papan', events);
      return (desk.entries.get('K-1')?.f?.[0] ?? []).map(([office]) => office);
    };
    expect([former(A!, A!), former(A!, B!), former(B!, B!), former(B!, C!)]).toEqual([[], [], [A], [A]]);
    expect([former(C!, C!), former(C!, A!), former(A!, A!)]).toEqual([[A, B], [B], [B, C]]);
    for (let n = 0; n < 40; n++) former(n === 0 ? A! : `SU002${9 + n}`, `SU002${10 + n}`);
    expect(former('SU00249', 'SU00249')).toHaveLength(16);
  });

  it('puts the fields of several types together', () => {
    const { desk } = run('imigrasi.paspor-status', [
      at('imigrasi.paspor.permohonan-diajukan', applied),
      at('imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', tanggalHabis: '2026-07-15' }),
    ]);
    expect(desk.entries.get('P-1')?.v).toMatchObject({
      status: 'diterbitkan',
      unitPenerima: 'SU00101',
      tanggalHabis: '2026-07-15',
    });
  });

  it('does not let a late application undo an issued passport, but keeps the fields of the application', () => {
    const { desk } = run('imigrasi.paspor-status', [
      at('imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1' }),
      at('imigrasi.paspor.permohonan-diajukan', applied),
    ]);
    expect(desk.entries.get('P-1')?.v).toMatchObject({ status: 'diterbitkan', unitPenerima: 'SU00101' });
  });

  const move = (peristiwa: string) => ({ idOrang: 'ORANG-1', unitAsal: 'SU00201', unitTujuan: 'SU00202', peristiwa });
  const [ORIGIN, TARGET] = [by('SU00201'), by('SU00202')];
  const arrived = at('pas.penghuni.diterima', { idOrang: 'ORANG-1', unitPenerima: 'SU00201' }, ORIGIN);
  const unitAfter = (events: DecodedEvent[]) => [...run('pas.penghuni-aktif', events).desk.entries.values()][0]!.v;

  it('one person has one active unit at every step of a transfer', () => {
    const leaves = at('pas.penghuni.dipindahkan', move('berangkat'), ORIGIN);
    const comes = at('pas.penghuni.dipindahkan', move('tiba'), TARGET);
    expect(unitAfter([arrived])).toMatchObject({ unit: 'SU00201', keadaan: 'di_dalam' });
    expect(unitAfter([arrived, leaves])).toMatchObject({
      unit: 'SU00201',
      unitTujuan: 'SU00202',
      keadaan: 'dalam_perjalanan',
    });
    expect(unitAfter([arrived, leaves, comes])).toMatchObject({
      unit: 'SU00202',
      unitTujuan: null,
      keadaan: 'di_dalam',
    });
  });

  it('an arrival counts after the departure: before it the person is still in the charge of the origin', () => {
    const comes = () => at('pas.penghuni.dipindahkan', move('tiba'), TARGET);
    const leaves = at('pas.penghuni.dipindahkan', move('berangkat'), ORIGIN);
    expect(unitAfter([arrived, comes()])).toMatchObject({ unit: 'SU00201', keadaan: 'di_dalam' });
    expect(unitAfter([arrived, comes(), leaves])).toMatchObject({ unit: 'SU00201', keadaan: 'dalam_perjalanan' });
    expect(unitAfter([arrived, comes(), leaves, comes()])).toMatchObject({ unit: 'SU00202', keadaan: 'di_dalam' });
  });

  it('a planned release changes nothing, a release that happened empties the unit and stays', () => {
    const release = (rencanaBebas: boolean) =>
      at('pas.penghuni.bebas', { idOrang: 'ORANG-1', unit: 'SU00201', rencanaBebas }, ORIGIN);
    expect(unitAfter([arrived, release(true)])).toMatchObject({ unit: 'SU00201' });
    expect(unitAfter([arrived, release(false), at('pas.penghuni.dipindahkan', move('tiba'), TARGET)])).toMatchObject({
      unit: null,
      keadaan: 'bebas',
      unitTerakhir: 'SU00201',
    });
  });
});

describe('set', () => {
  const ban = (nomorCekal: string, jenis = 'cegah') =>
    at('imigrasi.cegah.ditetapkan', { nomorCekal, jenis, versiDaftar: 1 });

  it('holds subjects that were added and not removed; removing an absent subject changes nothing', () => {
    const { desk } = run('imigrasi.cegah-aktif', [
      ban('C-1'),
      ban('C-2'),
      ban('T-1', 'tangkal'),
      at('imigrasi.cegah.berakhir', { nomorCekal: 'C-1', versiDaftar: 2 }),
      at('imigrasi.cegah.berakhir', { nomorCekal: 'C-9', versiDaftar: 3 }),
    ]);
    expect([...desk.entries.keys()]).toEqual(['C-2']);
  });

  it('a payment removes a bill from the unpaid ones, and so does a double payment', () => {
    const paid = () => at('keu.pnbp.pembayaran-diterima', { kodeBilling: '820210715000001' });
    const { desk } = run('keu.tagihan-belum-lunas', [
      at('keu.pnbp.tagihan-diterbitkan', { kodeBilling: '820210715000001', status: 'terbit' }),
      at('keu.pnbp.tagihan-diterbitkan', { kodeBilling: '820210715000002', status: 'terbit' }),
      paid(),
      paid(),
    ]);
    expect([...desk.entries.keys()]).toEqual(['820210715000002']);
  });
});

describe('latest', () => {
  it('an older list version that is recorded later does not replace the newer one', () => {
    const ack = (versiDaftar: number) =>
      at(
        'imigrasi.cegah.daftar-diterima',
        { unit: 'SU00301', versiDaftar, waktuDiterima: '2021-07-15T03:00:00.000Z' },
        by('SU00301'),
      );
    expect(run('imigrasi.cegah-pos', [ack(4), ack(5), ack(3)]).desk.entries.get('SU00301')?.v['versiDaftar']).toBe(5);
  });

  it('the entries of all partitions give the greatest, in any order', () => {
    const report = (tanggal: string, kapasitas: number) =>
      at('pas.hunian.dilaporkan', { unit: 'SU00208', tanggal, kapasitas, waktuLaporan: `${tanggal}T03:00:00.000Z` });
    const days = ['2021-07-14', '2021-07-16', '2021-07-15'].map((d, i) => {
      const { view, desk } = run('pas.hunian-unit', [report(d, 100 + i)]);
      return {
        view,
        partial: { stored: desk.entries.get('SU00208')!, position: `pas.hunian/${i}/0`, appendTimeMs: 10 - i },
      };
    });
    const view = days[0]!.view;
    const values = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ].map(
      (order) =>
        mergeEntries(
          view,
          order.map((i) => days[i]!.partial),
        )!.stored.v['kapasitas'],
    );
    expect(values).toEqual([101, 101, 101]);
  });
});

describe('count', () => {
  const report = (unit: string, kode: string, kapasitas: number) =>
    at('pas.hunian.dilaporkan', { unit, tanggal: '2021-07-15', kapasitas }, { unitkode: kode, ...by(unit) });

  it('a corrected report replaces the earlier one, also after other reports', () => {
    const { desk } = run('pas.hunian-kanwil', [
      report('SU00208', 'LAPAS-64-SAMARINDA', 500),
      report('SU00209', 'LAPAS-65-TARAKAN', 300),
      report('SU00208', 'LAPAS-64-SAMARINDA', 510),
    ]);
    expect(desk.entries.get('KANWIL-64:2021-07-15')?.v).toMatchObject({
      kanwil: 'KANWIL-64',
      tanggal: '2021-07-15',
      jumlahUnit: 2,
      kapasitas: 810,
    });
  });

  it('a case counts once, under its newest unit and status', () => {
    const step = (statusBaru: string, unitPemegang = 'SU00101') =>
      at('layanan.kasus.status-berubah', { nomorKasus: 'K-1', statusBaru, unitPemegang }, by('SU00101'));
    const { desk } = run('layanan.kasus-jumlah', [step('diajukan'), step('diproses'), step('diproses', 'SU00102')]);
    expect([...desk.entries].map(([k, e]) => [k, e.v['jumlah']])).toEqual([['SU00102:diproses', 1]]);
  });

  it('entries of several partitions add up', () => {
    const parts = [500, 300].map((kapasitas, i) => ({
      stored: run('pas.hunian-nasional', [report(`SU0020${i}`, 'LAPAS-64-A', kapasitas)]).desk.entries.get(
        '2021-07-15',
      )!,
      position: `pas.hunian/${i}/7`,
      appendTimeMs: i,
    }));
    const merged = mergeEntries(viewsOf(catalogue, 'pas.hunian-nasional')[0]!, parts)!;
    expect(merged.stored.v).toMatchObject({ jumlahUnit: 2, kapasitas: 800 });
    expect(merged.position).toBe('pas.hunian/1/7');
  });
});

describe('timeline', () => {
  it('lists the newest positions of a subject and how many there were', () => {
    const events = Array.from({ length: 105 }, () =>
      at('imigrasi.paspor.permohonan-diajukan', { nomorPermohonan: 'P-1', unitPenerima: 'SU00101' }),
    );
    const { v, m } = run('imigrasi.paspor-jejak', events).desk.entries.get('P-1')!;
    const moments = v['kejadian'] as { position: string }[];
    expect([v['jumlah'], moments.length, m?.length]).toEqual([105, 100, 100]);
    expect(moments.at(-1)?.position).toBe(events.at(-1)?.position);
  });
});

describe('numbers', () => {
  it('add without loss beyond 2^53 and in decimals', () => {
    expect(add('9007199254740993', 2, 1)).toBe('9007199254740995');
    expect(add(9007199254740991, 9007199254740991, 1)).toBe('18014398509481982');
    expect(add('0.10', '0.2', 1)).toBe('0.30');
    expect(add('355000.00', '355000.00', -1)).toBe('0.00');
    expect(add('1.5', '2.25', -1)).toBe('-0.75');
    expect(compareNumeric('9007199254740993', 9007199254740992)).toBe(1);
  });
});
