import { describe, expect, it } from '@jest/globals';
import type { DecodedEvent } from '#registry';
import { catalogueOfFiles, foldEventOf, viewsOf, viewTexts, type EventSpec } from '../../test/kit/projection/events.js';
import {
  checkView,
  compileView,
  fold,
  mergeEntries,
  parseView,
  type CompiledView,
  type Contribution,
  type Desk,
  type Refused,
  type Removed,
  type Stored,
  type ViewDefinition,
} from './index.js';

const catalogue = catalogueOfFiles();
const [A, B, C] = ['SU00201', 'SU00202', 'SU00203'] as const;
const def = (name: string): ViewDefinition => parseView(viewTexts().get(name)!);

class PlainDesk implements Desk {
  readonly entries = new Map<string, Stored>();
  readonly parts = new Map<string, Contribution>();
  readonly removals = new Map<string, Removed>();
  readonly refused: Refused[] = [];
  entry = (k: string) => this.entries.get(k);
  part = (k: string) => this.parts.get(k);
  removed = (k: string) => this.removals.get(k);
  putEntry = (k: string, v: Stored | undefined) => put(this.entries, k, v);
  putPart = (k: string, v: Contribution | undefined) => put(this.parts, k, v);
  putRemoved = (k: string, v: Removed | undefined) => put(this.removals, k, v);
  refuse = (refused: Refused): void => void this.refused.push(refused);
}
function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

let offset = 0n;
/** An event of a unit, party or part of the hub. */
function from(owner: string, type: string, data: EventSpec['data'] = {}, more: Partial<EventSpec> = {}): DecodedEvent {
  const source = owner.startsWith('hub:')
    ? `urn:simpul:${owner}`
    : `urn:simpul:${owner.startsWith('EXT-') ? 'party' : 'unit'}:${owner}:uji`;
  return foldEventOf(catalogue, { type, source, data, ...more }, offset++);
}
function run(view: string | CompiledView, ...events: DecodedEvent[]): PlainDesk {
  const compiled = typeof view === 'string' ? viewsOf(catalogue, view)[0]! : view;
  const desk = new PlainDesk();
  for (const e of events) fold(compiled, e, desk);
  return desk;
}
const valueOf = (desk: PlainDesk): Record<string, unknown> => [...desk.entries.values()][0]!.v;
const reasons = (desk: PlainDesk) => desk.refused.map(({ reason, owner }) => [reason, owner]);

const inside = (unit: string) => ({ idOrang: 'ORANG-1', unitPenerima: unit });
const moved = (peristiwa: string, unitAsal: string, unitTujuan: string) => ({
  idOrang: 'ORANG-1',
  unitAsal,
  unitTujuan,
  peristiwa,
});
const freed = (unit: string) => ({ idOrang: 'ORANG-1', unit, rencanaBebas: false });
const bill = (unit: string, status: string, kodeBilling = '820210715000001') => ({ kodeBilling, unit, status });
const held = (unitPemegang: string, statusBaru: string, unitSebelumnya: string | null = null) => ({
  nomorKasus: 'K-1',
  unitPemegang,
  unitSebelumnya,
  statusBaru,
});

describe('an event of somebody else never changes an entry, and is told with the owner', () => {
  it.each<[string, string, DecodedEvent[], DecodedEvent[]]>([
    [
      'a prison releases an inmate of another, in its own name',
      'pas.penghuni-aktif',
      [from(A, 'pas.penghuni.diterima', inside(A))],
      [from(B, 'pas.penghuni.bebas', freed(B)), from(B, 'pas.penghuni.bebas', freed(A))],
    ],
    [
      'a prison admits an inmate of another',
      'pas.penghuni-aktif',
      [from(A, 'pas.penghuni.diterima', inside(A))],
      [from(B, 'pas.penghuni.diterima', inside(B))],
    ],
    [
      'a prison states the arrival of an inmate that has not left',
      'pas.penghuni-aktif',
      [from(A, 'pas.penghuni.diterima', inside(A))],
      [from(B, 'pas.penghuni.dipindahkan', moved('tiba', A, B))],
    ],
    [
      'a third prison states the arrival of an inmate on the way to another',
      'pas.penghuni-aktif',
      [from(A, 'pas.penghuni.diterima', inside(A)), from(A, 'pas.penghuni.dipindahkan', moved('berangkat', A, B))],
      [from(C, 'pas.penghuni.dipindahkan', moved('tiba', A, C)), from(C, 'pas.penghuni.diterima', inside(C))],
    ],
    [
      'a prison corrects the release by another',
      'pas.penghuni-aktif',
      [from(A, 'pas.penghuni.diterima', inside(A)), from(A, 'pas.penghuni.bebas', freed(A))],
      [from(B, 'pas.penghuni.bebas', freed(B))],
    ],
    [
      'a kanim cancels the bill of another, in its own name',
      'keu.tagihan-belum-lunas',
      [from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit'))],
      [
        from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'dibatalkan')),
        from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'terbit')),
      ],
    ],
    [
      'a unit takes the case of another',
      'layanan.kasus-papan',
      [from(A, 'layanan.kasus.status-berubah', held(A, 'diproses'))],
      [
        from(B, 'layanan.kasus.status-berubah', held(B, 'selesai')),
        from(B, 'layanan.kasus.status-berubah', held(B, 'selesai', A)),
        from(B, 'layanan.kasus.status-berubah', held(A, 'ditolak', B)),
      ],
    ],
    [
      'a kanim issues a passport for the application at another',
      'imigrasi.paspor-status',
      [from(A, 'imigrasi.paspor.permohonan-diajukan', { nomorPermohonan: 'P-1', unitPenerima: A })],
      [
        from(B, 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: B }),
        from('EXT-KEMENLU', 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: 'SU00007' }),
      ],
    ],
    [
      'a kanim adds to the history of an application at another',
      'imigrasi.paspor-jejak',
      [from(A, 'imigrasi.paspor.permohonan-diajukan', { nomorPermohonan: 'P-1', unitPenerima: A })],
      [from(B, 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: B })],
    ],
    [
      'an old event of another source about the unit that owns the entry',
      'pas.hunian-unit',
      [from(A, 'pas.hunian.dilaporkan', { unit: A, tanggal: '2021-07-15', kapasitas: 1 })],
      [from(B, 'pas.hunian.dilaporkan', { unit: A, tanggal: '2021-07-16', kapasitas: 2 })],
    ],
  ])('%s (%s)', (_what, view, before, others) => {
    const alone = run(view, ...before);
    const attacked = run(view, ...before, ...others);
    expect([...attacked.entries]).toEqual([...alone.entries]);
    expect(attacked.refused.map((r) => r.reason)).toEqual(others.map(() => 'not_owner'));
    expect(attacked.refused.map((r) => r.owner)).toContain(A);
  });

  it('a unit moves the count of a case that another holds (layanan.kasus-jumlah, pas.hunian-nasional)', () => {
    const cases = run(
      'layanan.kasus-jumlah',
      from(A, 'layanan.kasus.status-berubah', held(A, 'diproses')),
      from(B, 'layanan.kasus.status-berubah', held(B, 'selesai')),
    );
    expect([[...cases.entries.keys()], reasons(cases)]).toEqual([[`${A}:diproses`], [['not_owner', A]]]);
    const report = (by: string, kapasitas: number) =>
      from(by, 'pas.hunian.dilaporkan', { unit: A, tanggal: '2021-07-15', kapasitas });
    const national = run('pas.hunian-nasional', report(A, 100), report(B, 1));
    expect([valueOf(national)['kapasitas'], reasons(national)]).toEqual([100, [['not_owner', A]]]);
  });
});

describe('a later step of a transfer is refused without the step before it, and makes no entry', () => {
  const admitted = () => from(A, 'pas.penghuni.diterima', inside(A));
  const step = (by: string, peristiwa: string, unitAsal: string, unitTujuan: string) =>
    from(by, 'pas.penghuni.dipindahkan', moved(peristiwa, unitAsal, unitTujuan));

  it.each<[string, DecodedEvent[], DecodedEvent, string]>([
    ['a person in no entry arrives', [], step(B, 'tiba', A, B), 'step_missing'],
    ['a person in no entry returns', [], step(B, 'kembali', B, C), 'step_missing'],
    ['a departure of a person in no entry is cancelled', [], step(B, 'batal', B, C), 'step_missing'],
    [
      'a person that is inside already arrives',
      [from(B, 'pas.penghuni.diterima', inside(B))],
      step(B, 'tiba', A, B),
      'step_missing',
    ],
    [
      'the arrival names another origin',
      [admitted(), step(A, 'berangkat', A, B)],
      step(B, 'tiba', C, B),
      'step_missing',
    ],
    [
      'the departure named another target',
      [admitted(), step(A, 'berangkat', A, C)],
      step(B, 'tiba', A, B),
      'not_owner',
    ],
    [
      'the person was released',
      [admitted(), from(A, 'pas.penghuni.bebas', freed(A))],
      step(B, 'tiba', A, B),
      'step_missing',
    ],
  ])('%s', (_what, before, later, reason) => {
    const desk = run('pas.penghuni-aktif', ...before, later);
    expect([...desk.entries]).toEqual([...run('pas.penghuni-aktif', ...before).entries]);
    expect(desk.refused.map((r) => r.reason)).toEqual([reason]);
  });

  it('the owner of the entry is named with it, so that it is told; nobody where the entry is its own or there is none', () => {
    const owners = (...events: DecodedEvent[]) =>
      reasons(run('pas.penghuni-aktif', ...events)).map(([, owner]) => owner);
    expect(owners(admitted(), step(B, 'tiba', A, B))).toEqual([A]);
    expect(owners(from(B, 'pas.penghuni.diterima', inside(B)), step(B, 'tiba', A, B))).toEqual([undefined]);
    expect(owners(step(B, 'tiba', A, B))).toEqual([undefined]);
  });

  it('so the true admission counts after a false arrival, and the arrival after the departure', () => {
    const desk = run(
      'pas.penghuni-aktif',
      step(B, 'tiba', A, B),
      admitted(),
      step(A, 'berangkat', A, B),
      step(B, 'tiba', A, B),
    );
    expect(valueOf(desk)).toMatchObject({ unit: B, keadaan: 'di_dalam' });
    expect(reasons(desk)).toEqual([['step_missing', undefined]]);
  });

  it('a view of which only the needed steps are new can take its entries over, and so can one of before owners', () => {
    const now = viewsOf(catalogue, 'pas.penghuni-aktif')[0]!;
    const { owner: _o, ownerWhy: _w, ...open } = def('pas.penghuni-aktif');
    const without = (d: ViewDefinition, ...members: ('needs' | 'owner')[]): string => {
      const sources = d.sources.map((s) =>
        Object.fromEntries(Object.entries(s).filter(([m]) => !members.includes(m as 'needs'))),
      );
      return compileView({ ...d, sources: sources as ViewDefinition['sources'] }, catalogue).untold;
    };
    expect(now.stepless).toBe(without(def('pas.penghuni-aktif'), 'needs'));
    expect(now.ownerless).toBe(without(open, 'needs', 'owner'));
    expect(new Set([now.fingerprint, now.stepless, now.ownerless]).size).toBe(3);
  });

  it('a view file may ask it of a merge alone, and of a field that a source of the stream writes', () => {
    const needs = [{ value: 'tidakAda', is: 'unit' }];
    const asked = (name: string) => ({ ...def(name), sources: def(name).sources.map((x) => ({ ...x, needs })) });
    const problems = (name: string) =>
      checkView(asked(name), catalogue)
        .map((p) => `${p.pointer} ${p.reason}`)
        .join('\n');
    expect(problems('pas.hunian-unit')).toContain('/sources/0/needs only with kind merge');
    expect(problems('pas.penghuni-aktif')).toContain('/sources/0/needs/0/is');
    expect(problems('pas.penghuni-aktif')).toContain('/sources/0/needs/0/value');
  });
});

it('two prisons with the same register number have an entry each: neither takes nor changes that of the other', () => {
  const warning = (unit: string, sisaHari: number) =>
    from(unit, 'pas.penahanan.akan-berakhir', { nomorRegister: 'AI.1', unit, sisaHari });
  const desk = run('pas.penahanan-berakhir', warning(B, 1), warning(A, 10), warning(A, 3));
  expect([...desk.entries.values()].map(({ v }) => [v['unit'], v['sisaHari']])).toEqual([
    [B, 1],
    [A, 3],
  ]);
  expect(desk.refused).toEqual([]);
});

describe('an event that changes nothing is told, never dropped in silence', () => {
  const paid = () => from('EXT-DJA', 'keu.pnbp.pembayaran-diterima', { kodeBilling: '820210715000001' });
  const left = (by: string, unitTujuan: string) =>
    from(by, 'pas.penghuni.dipindahkan', moved('berangkat', by, unitTujuan));
  const released = () => [from(A, 'pas.penghuni.diterima', inside(A)), from(A, 'pas.penghuni.bebas', freed(A))];
  const ended = () => from('SU00018', 'imigrasi.cegah.berakhir', { nomorCekal: 'C-1' });

  it.each<[string, string, DecodedEvent[], DecodedEvent]>([
    ['a released person departs', 'pas.penghuni-aktif', released(), left(A, B)],
    ['a released person departs from another prison', 'pas.penghuni-aktif', released(), left(B, C)],
    ['a bill is paid that no office has issued', 'keu.tagihan-belum-lunas', [], paid()],
    [
      'a bill is cancelled that no office has issued',
      'keu.tagihan-belum-lunas',
      [],
      from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'dibatalkan')),
    ],
  ])('%s (%s)', (_what, view, before, event) => {
    const desk = run(view, ...before, event);
    expect([...desk.entries]).toEqual([...run(view, ...before).entries]);
    expect(reasons(desk)).toEqual([['step_missing', undefined]]);
    expect(desk.refused.map((r) => r.key)).toEqual([event.envelope.subject]);
  });

  it('the owner of the entry is named, unless the event is its own', () => {
    const { owner: _o, ...departure } = def('pas.penghuni-aktif').sources[1]!;
    const open = { ...departure, owner: 'any-with-right' as const };
    const view = compileView(
      { ...def('pas.penghuni-aktif'), sources: [def('pas.penghuni-aktif').sources[0]!, open] },
      catalogue,
    );
    const admitted = from(A, 'pas.penghuni.diterima', inside(A));
    const told = (by: string) =>
      reasons(run(view, admitted, from(by, 'pas.penghuni.dipindahkan', moved('berangkat', B, C))));
    expect([told(B), told(A)]).toEqual([[['step_missing', A]], [['step_missing', undefined]]]);
  });

  it('a contribution is taken back that was never made', () => {
    const { owner: _o, ownerWhy: _w, ...cases } = def('layanan.kasus-jumlah');
    const [type] = cases.sources.map((s) => s.type);
    const sources = [
      { type: type!, when: [{ field: 'statusBaru', in: ['diproses'] }] },
      { type: type!, when: [{ field: 'statusBaru', in: ['selesai'] }], remove: true as const },
    ];
    const view = compileView({ ...cases, sources }, catalogue);
    const done = () => from(A, type!, held(A, 'selesai'));
    expect(reasons(run(view, done()))).toEqual([['step_missing', undefined]]);
    expect(reasons(run(view, from(A, type!, held(A, 'diproses')), done()))).toEqual([]);
  });

  it('but not where nothing is missing: what is removed already, a list of another kind, an older report, a part of a step', () => {
    expect(
      run('keu.tagihan-belum-lunas', from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')), paid(), paid())
        .refused,
    ).toEqual([]);
    expect(run('imigrasi.cegah-aktif', ended()).refused).toEqual([]);
    const report = (tanggal: string) =>
      from(A, 'pas.hunian.dilaporkan', { unit: A, tanggal, waktuLaporan: `${tanggal}T03:00:00.000Z` });
    expect(run('pas.hunian-unit', report('2021-07-15'), report('2021-07-14')).refused).toEqual([]);
    const late = from(A, 'imigrasi.paspor.permohonan-diajukan', { nomorPermohonan: 'P-1', unitPenerima: A });
    const issued = from(A, 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: A });
    const status = run('imigrasi.paspor-status', issued, late);
    expect([valueOf(status), status.refused]).toMatchObject([{ status: 'diterbitkan', unitPenerima: A }, []]);
  });

  it('a view file says why nothing to remove is normal, and only where something is removed; the reason alone folds nothing again', () => {
    const bans = def('imigrasi.cegah-aktif');
    const { absentWhy, ...silent } = bans.sources[1]!;
    expect(absentWhy).toEqual(expect.any(String));
    const told = { ...bans, sources: [bans.sources[0]!, silent] };
    const view = compileView(told, catalogue);
    expect(reasons(run(view, ended()))).toEqual([['step_missing', undefined]]);
    const added = from('SU00018', 'imigrasi.cegah.ditetapkan', { nomorCekal: 'C-1', jenis: 'cegah' });
    expect(reasons(run(view, added, ended(), ended()))).toEqual([]);
    const asked = { ...bans, sources: bans.sources.map((x) => ({ ...x, absentWhy: 'x' })) };
    expect(checkView(asked, catalogue).map((p) => p.pointer)).toEqual(['/sources/0/absentWhy']);
    const reworded = { ...bans, sources: bans.sources.map((x) => (x.remove ? { ...x, absentWhy: 'other words' } : x)) };
    expect(compileView(reworded, catalogue).fingerprint).toBe(compileView(bans, catalogue).fingerprint);
    // As the release before had it: its entries can be taken over.
    expect([view.untold, view.fingerprint === view.untold]).toEqual([compileView(bans, catalogue).fingerprint, false]);
  });
});

describe('an event that a steward has accepted', () => {
  const accepted = (first: string, type: string, data: EventSpec['data']): DecodedEvent => {
    const event = from('hub:steward', type, data);
    const extensions = {
      ...event.envelope.extensions,
      atasnama: `urn:simpul:${first.startsWith('EXT-') ? 'party' : 'unit'}:${first}:uji`,
    };
    return { ...event, envelope: { ...event.envelope, extensions } };
  };
  const asked = (unitPenerima: string) => ({ nomorPermohonan: 'P-1', unitPenerima });

  it.each<[string, DecodedEvent[], DecodedEvent, DecodedEvent, Record<string, unknown>]>([
    [
      'keu.tagihan-belum-lunas',
      [from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'terbit'))],
      accepted(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')),
      from(A, 'keu.pnbp.tagihan-diterbitkan', { ...bill(A, 'terbit'), mataUang: 'USD' }),
      { unit: A, mataUang: 'USD' },
    ],
    [
      'keu.tagihan-belum-lunas',
      [
        from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'terbit')),
        from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'dibatalkan')),
      ],
      accepted(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')),
      from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')),
      { unit: A },
    ],
    [
      'imigrasi.paspor-status',
      [from(B, 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: B, nomorPaspor: 'X1' })],
      accepted(A, 'imigrasi.paspor.permohonan-diajukan', asked(A)),
      from(A, 'imigrasi.paspor.permohonan-diajukan', { ...asked(A), kanal: 'mpp' }),
      { status: 'diajukan', unitPenerima: A, kanal: 'mpp' },
    ],
    [
      'imigrasi.paspor-jejak',
      [from(B, 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: B })],
      accepted(A, 'imigrasi.paspor.permohonan-diajukan', asked(A)),
      from(A, 'imigrasi.paspor.permohonan-diajukan', asked(A)),
      { jumlah: 2 },
    ],
    [
      'pas.penghuni-aktif',
      [from(B, 'pas.penghuni.diterima', inside(B)), from(B, 'pas.penghuni.dipindahkan', moved('berangkat', B, C))],
      accepted(A, 'pas.penghuni.diterima', inside(A)),
      from(A, 'pas.penghuni.diterima', inside(A)),
      { unit: A, unitTujuan: null, keadaan: 'di_dalam' },
    ],
  ])(
    'makes the entry of %s anew for the office that stated it first: it goes on, the one before does not',
    (view, before, act, next, value) => {
      const desk = run(view, ...before, act, next, before[0]!);
      expect(valueOf(desk)).toMatchObject(value);
      // Only that B saw the entry before: its change feed is told.
      expect(JSON.stringify([...desk.entries.values()].map(({ f: _former, ...entry }) => entry))).not.toContain(B);
      expect(reasons(desk)).toEqual([['not_owner', A]]);
    },
  );

  it.each([...viewTexts().keys()])('%s: every event that it may refuse can be accepted', (name) => {
    const { sources } = viewsOf(catalogue, name)[0]!;
    const closed = sources.filter((s) => {
      const refuses =
        s.ownership !== undefined || s.needsEntry || s.bounds.length + s.needs.length + s.given.length > 0;
      return refuses && !catalogue.newest(s.type)!.publishers.includes('hub:steward');
    });
    expect(closed.map((s) => s.type)).toEqual([]);
  });

  it('takes the place of a report of another, in the latest and in the totals of the office that it is about', () => {
    const report = (by: string, kapasitas: number) =>
      from(by, 'pas.hunian.dilaporkan', {
        unit: A,
        tanggal: '2021-07-15',
        waktuLaporan: '2021-07-15T03:00:00.000Z',
        kapasitas,
      });
    const right = { unit: A, tanggal: '2021-07-14', waktuLaporan: '2021-07-14T03:00:00.000Z', kapasitas: 5 };
    const act = accepted(A, 'pas.hunian.dilaporkan', right);
    expect(valueOf(run('pas.hunian-unit', report(A, 9), act))['kapasitas']).toBe(5);
    const [code] = viewsOf(catalogue, 'pas.hunian-kanwil');
    const withCode = (e: DecodedEvent): DecodedEvent => ({
      ...e,
      envelope: { ...e.envelope, extensions: { ...e.envelope.extensions, unitkode: 'UPT-64-1' } },
    });
    const totals = run(
      code!,
      withCode(report(A, 9)),
      withCode(accepted(A, 'pas.hunian.dilaporkan', { ...right, tanggal: '2021-07-15' })),
    );
    expect([...totals.entries.values()].map(({ v }) => v['kapasitas'])).toEqual([5]);
  });

  it('of a payment removes the bill of its office, which may make it again; without a bill it is told again', () => {
    const paid = () => accepted('EXT-DJA', 'keu.pnbp.pembayaran-diterima', { kodeBilling: '820210715000001' });
    expect(reasons(run('keu.tagihan-belum-lunas', paid()))).toEqual([['step_missing', undefined]]);
    const issued = () => from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit'));
    const after = run('keu.tagihan-belum-lunas', issued(), paid());
    expect([after.entries.size, after.refused]).toEqual([0, []]);
    const again = run('keu.tagihan-belum-lunas', issued(), paid(), issued());
    expect([valueOf(again)['unit'], again.refused]).toEqual([A, []]);
  });

  it('of a departure sends a released person on its way', () => {
    const before = [from(A, 'pas.penghuni.diterima', inside(A)), from(A, 'pas.penghuni.bebas', freed(A))];
    const desk = run(
      'pas.penghuni-aktif',
      ...before,
      accepted(A, 'pas.penghuni.dipindahkan', moved('berangkat', A, B)),
    );
    expect([valueOf(desk), desk.refused]).toMatchObject([{ unit: A, unitTujuan: B, keadaan: 'dalam_perjalanan' }, []]);
  });

  it('moves the count of a case, and keeps what another stream wrote, in whichever order', () => {
    const [taken, mine] = [held(B, 'diproses'), held(A, 'diajukan')];
    const warned = from('hub:clock', 'layanan.tenggat.terancam', { nomorKasus: 'K-1', unitPemegang: B, ambang: 'H_3' });
    const first = from(B, 'layanan.kasus.status-berubah', taken);
    const act = accepted(A, 'layanan.kasus.status-berubah', mine);
    const boards = [run('layanan.kasus-papan', first, warned, act), run('layanan.kasus-papan', first, act, warned)];
    for (const board of boards)
      expect(valueOf(board)).toMatchObject({ unitPemegang: A, status: 'diajukan', ambangTenggat: 'H_3' });
    expect(valueOf(boards[0]!)).toEqual(valueOf(boards[1]!));
    expect([...run('layanan.kasus-jumlah', first, act).entries.keys()]).toEqual([`${A}:diajukan`]);
  });

  it('is one only from the hub: the same attribute of a unit gives nothing', () => {
    const own = from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'terbit'));
    const forged = { ...own, envelope: { ...own.envelope, extensions: { atasnama: `urn:simpul:unit:${A}:uji` } } };
    const desk = run('keu.tagihan-belum-lunas', from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')), forged);
    expect([valueOf(desk)['unit'], reasons(desk)]).toEqual([A, [['not_owner', A]]]);
  });
});

describe('the owner goes on', () => {
  it('changes its entry, hands it over, and the next owner changes it; the one before may not', () => {
    const desk = run(
      'layanan.kasus-papan',
      from(A, 'layanan.kasus.status-berubah', held(A, 'diproses')),
      from(A, 'layanan.kasus.status-berubah', held(B, 'menunggu_unit_lain', A)),
      from(A, 'layanan.kasus.status-berubah', held(A, 'selesai')),
      from(B, 'layanan.kasus.status-berubah', held(B, 'selesai')),
    );
    expect(valueOf(desk)).toMatchObject({ unitPemegang: B, status: 'selesai' });
    expect(reasons(desk)).toEqual([['not_owner', B]]);
  });

  it('a released person may be admitted by any prison, and then belongs to that one', () => {
    const desk = run(
      'pas.penghuni-aktif',
      from(A, 'pas.penghuni.diterima', inside(A)),
      from(A, 'pas.penghuni.bebas', freed(A)),
      from(A, 'pas.penghuni.bebas', { ...freed(A), waktuKeluar: '2021-07-20T00:00:00.000Z' }),
      from(B, 'pas.penghuni.diterima', inside(B)),
      from(A, 'pas.penghuni.bebas', freed(A)),
    );
    expect(valueOf(desk)).toMatchObject({ unit: B, keadaan: 'di_dalam' });
    expect(reasons(desk)).toEqual([['not_owner', B]]);
  });

  it('a removed entry keeps its owner: only it makes the entry again', () => {
    const desk = run(
      'keu.tagihan-belum-lunas',
      from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')),
      from('EXT-DJA', 'keu.pnbp.pembayaran-diterima', { kodeBilling: '820210715000001' }),
      from(B, 'keu.pnbp.tagihan-diterbitkan', bill(B, 'terbit')),
    );
    expect([desk.entries.size, reasons(desk)]).toEqual([0, [['not_owner', A]]]);
    fold(
      viewsOf(catalogue, 'keu.tagihan-belum-lunas')[0]!,
      from(A, 'keu.pnbp.tagihan-diterbitkan', bill(A, 'terbit')),
      desk,
    );
    expect([valueOf(desk)['unit'], desk.removals.size]).toEqual([A, 0]);
  });

  it('the hub may change every entry and owns none; the treasury may remove every bill', () => {
    const warned = run(
      'pas.penahanan-berakhir',
      from('hub:clock', 'pas.penahanan.akan-berakhir', { nomorRegister: 'AI.1', unit: A, sisaHari: 10 }),
      from(A, 'pas.penahanan.akan-berakhir', { nomorRegister: 'AI.1', unit: A, sisaHari: 3 }),
      from('hub:clock', 'pas.penahanan.akan-berakhir', { nomorRegister: 'AI.1', unit: A, sisaHari: 1 }),
    );
    expect([valueOf(warned)['sisaHari'], warned.refused]).toEqual([1, []]);
    const board = run(
      'layanan.kasus-papan',
      from('hub:clock', 'layanan.tenggat.terancam', { nomorKasus: 'K-1', unitPemegang: B }),
      from(A, 'layanan.kasus.status-berubah', held(A, 'diproses')),
    );
    expect([valueOf(board)['unitPemegang'], board.refused]).toEqual([A, []]);
  });

  it('an entry of an older release without an owner belongs to the office that wrote it, or to nobody after the hub', () => {
    const view = viewsOf(catalogue, 'imigrasi.paspor-status')[0]!;
    for (const [source, expected] of [
      [`urn:simpul:unit:${A}:simkim`, [['not_owner', A]]],
      ['urn:simpul:hub:clock', []],
    ] as const) {
      const desk = new PlainDesk();
      desk.entries.set('P-1', { v: { status: 'diajukan' }, e: { 1: [source, {}] } });
      fold(view, from(B, 'imigrasi.paspor.diterbitkan', { nomorPermohonan: 'P-1', unitPenerbit: B }), desk);
      expect(reasons(desk)).toEqual(expected);
      expect(desk.entries.get('P-1')!.o).toBe(expected.length > 0 ? undefined : B);
    }
  });
});

/** The catalogue with another tolerance. */
function allowing(aheadMinutes: number | undefined): typeof catalogue {
  const type = new Proxy(catalogue.newest('pas.hunian.dilaporkan')!, {
    get: (t, name) => (name === 'aheadMinutes' ? aheadMinutes : (Reflect.get(t, name, t) as unknown)),
  });
  return { newest: () => type, stream: (s: string) => catalogue.stream(s) } as unknown as typeof catalogue;
}

describe('a date from far in the future', () => {
  const report = (tanggal: string, kapasitas: number, recordedtime: string, unit: string = A) =>
    from(
      unit,
      'pas.hunian.dilaporkan',
      { unit, tanggal, kapasitas, waktuLaporan: '2021-07-15T03:00:00.000Z' },
      { recordedtime },
    );

  it('is refused by a view that takes the latest, so that later true reports count', () => {
    const desk = run(
      'pas.hunian-unit',
      report('2021-07-15', 1, '2021-07-15T03:00:00.000Z'),
      report('2031-01-01', 2, '2021-07-15T04:00:00.000Z'),
      report('2021-07-16', 3, '2021-07-16T03:00:00.000Z'),
    );
    expect([valueOf(desk)['kapasitas'], reasons(desk)]).toEqual([3, [['too_far_ahead', undefined]]]);
  });

  it('is allowed up to the tolerance of its contract, or one day, after the recorded time', () => {
    const atMost = report('2021-07-16', 1, '2021-07-15T12:00:00.000Z');
    const beyond = report('2021-07-16', 2, '2021-07-15T11:59:59.999Z');
    expect(valueOf(run('pas.hunian-unit', atMost, beyond))['kapasitas']).toBe(1);
    const view = compileView(def('pas.hunian-unit'), allowing(undefined));
    expect(view.sources[0]!.bounds.map((b) => b.aheadMs)).toEqual([86_400_000, 86_400_000]);
  });

  it('that an older release took into an entry, where the log cannot be folded again, loses to the next true report, in its partition and over all', () => {
    const view = viewsOf(catalogue, 'pas.hunian-unit')[0]!;
    const b = ['2031-01-01', '2021-07-15T03:00:00.000Z'];
    const taken: Stored = { v: { unit: A, kapasitas: 2 }, b };
    const desk = new PlainDesk();
    desk.entries.set(A, taken);
    fold(view, report('2021-07-16', 3, '2021-07-16T03:00:00.000Z'), desk);
    expect(valueOf(desk)['kapasitas']).toBe(3);
    const appendTimeMs = Date.parse('2021-07-15T04:00:00.000Z');
    const parts = [
      { stored: taken, position: 'pas.hunian/0/9', appendTimeMs },
      { stored: desk.entries.get(A)!, position: 'pas.hunian/1/3', appendTimeMs: appendTimeMs + 86_400_000 },
    ];
    for (const order of [parts, parts.toReversed()]) expect(mergeEntries(view, order)!.stored.v['kapasitas']).toBe(3);
  });

  it('changes the fingerprint of the view with its tolerance, so that the view is folded again', () => {
    const prints = [720, 60].map(
      (aheadMinutes) => compileView(def('pas.hunian-unit'), allowing(aheadMinutes)).fingerprint,
    );
    expect(prints[0]).not.toBe(prints[1]);
  });
});

describe('the view files of the repository', () => {
  it.each([...viewTexts().keys()])('%s says who owns its entries, and why', (name) => {
    const { owner, ownerWhy } = def(name);
    expect([name, typeof owner, typeof ownerWhy]).toEqual([name, 'string', 'string']);
  });

  const wrong = (d: ViewDefinition): string =>
    checkView(d, catalogue)
      .map((p) => `${p.pointer} ${p.reason}`)
      .join('\n');

  it('are refused when the owner is not named by a field of a unit, comes from two streams, or is asked of a source alone', () => {
    const board = def('layanan.kasus-papan');
    expect(wrong({ ...board, owner: 'field:alasanKode' })).toContain('/owner the field alasanKode is not written from');
    expect(wrong({ ...board, owner: 'field:tidakAda' })).toContain('/owner the field tidakAda is not written from');
    const [cases, clock] = board.sources as [ViewDefinition['sources'][0], ViewDefinition['sources'][0]];
    const { owner: _, ...guarded } = clock;
    expect(wrong({ ...board, sources: [cases, guarded] })).toContain(
      '/owner the owner of an entry comes from one stream',
    );
    const { owner: _o, ...open } = def('pas.penghuni-aktif');
    expect(wrong(open)).toContain('/owner a source has an owner, so the view needs one');
    expect(wrong({ ...def('pas.hunian-nasional'), owner: 'field:kapasitas' })).toContain('/owner the field kapasitas');
  });

  it('a view without an owner folds as before: whoever may publish changes its entries', () => {
    const { owner: _o, ownerWhy: _w, ...open } = def('pas.hunian-unit');
    const report = (by: string, kapasitas: number) =>
      from(by, 'pas.hunian.dilaporkan', { unit: A, tanggal: '2021-07-15', kapasitas });
    const desk = run(compileView(open, catalogue), report(A, 1), report(B, 2));
    expect([valueOf(desk)['kapasitas'], desk.refused]).toEqual([2, []]);
  });
});
