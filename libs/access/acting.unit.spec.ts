import { describe, expect, it } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import type { ActorInfo } from '#avro';
import { showProblem } from '#faults';
import { CatalogueIndex, readProperties, registrySubject, schemaValue } from '#registry';
import { readUnitSeed, UnitTree } from '#units';
import { actingFields, mayState } from './acting.js';

const root = new URL('../../', import.meta.url);
const units = new UnitTree(() => '2021-07-15');
for (const u of readUnitSeed(readFileSync(new URL('schemas/units.json', root), 'utf8')).units) units.put(u.id, [u]);
const catalogue = new CatalogueIndex();
globSync('schemas/**/*.avsc', { cwd: root.pathname }).forEach((file, i) => {
  const schema = readFileSync(new URL(file, root), 'utf8');
  catalogue.putSchema(
    schemaValue({ subject: registrySubject(readProperties(schema)!), version: 1, id: i + 1, schema, deleted: false }),
  );
});
const type = (name: string) => catalogue.newest(name)!;
const of = (owner: string): string => `urn:simpul:${owner.startsWith('EXT-') ? 'party' : 'unit'}:${owner}:uji`;
/** Pointers of a refusal; empty: the source may state it. */
const refused = (name: string, owner: string, data: Record<string, unknown>): string[] =>
  mayState(type(name), of(owner), data, units)?.problems.map((p) => p.pointer) ?? [];

const [KANIM_A, KANIM_B] = units.list({ type: 'kanim' }).map((u) => u.id) as [string, string];
const [LAPAS_A, LAPAS_B] = units.list({ type: 'lapas' }).map((u) => u.id) as [string, string];
const KANWIL = units.list({ type: 'kanwil' })[0]!.id;

describe('the 42 event types of the ministry and those of the hub', () => {
  it('say which field names the acting office, or why none does, and bind every publisher that is no part of the hub and not exempt', () => {
    const types = catalogue.types();
    expect(types.filter((t) => !t.type.startsWith('simpul.'))).toHaveLength(42);
    for (const { type: name, actor, publishers, contract } of types) {
      expect([name, typeof actor?.why, (actor?.why.length ?? 0) > 20]).toEqual([name, 'string', true]);
      const { field, step, party, exempt = [] } = actor!;
      const roleOf = (f: string) => contract.fields.find((x) => x.name === f)?.role;
      const named = field === null ? [] : typeof field === 'string' ? [field] : Object.values(field).flat();
      for (const f of named) expect([name, f, roleOf(f)]).toEqual([name, f, 'unitId']);
      if (party !== undefined) expect([name, roleOf(party)]).toEqual([name, 'partyCode']);
      const symbols = contract.fields.find((f) => f.name === step)?.symbols?.slice(1) ?? [];
      const stated = step === undefined ? [] : Object.keys(field as object);
      // A step that no office may state needs somebody who may.
      if (stated.length < symbols.length) expect([name, exempt.length > 0]).toEqual([name, true]);
      // Whoever names itself in a field: as wide as `any`, without saying so.
      expect([name, publishers.filter((p) => p.startsWith('field:'))]).toEqual([name, []]);
      // Everybody (`any`) and every unit of a type may publish: without an acting field the contract must not have one to name.
      const many = publishers.some((p) => p === 'any' || p.startsWith('type:'));
      if (many && field === null)
        expect([
          'bphn.jdih.dokumen-diterbitkan',
          'ki.merek.permohonan-diterima',
          'layanan.pengaduan.diterima',
        ]).toContain(name);
    }
  });

  it.each(
    catalogue
      .types()
      .filter((t) => t.actor?.field != null)
      .map((t) => t.type),
  )('%s: a publisher that is bound may name itself, and no other unit', (name) => {
    const t = type(name);
    const actor = t.actor!;
    const symbol = typeof actor.field === 'object' && actor.step ? Object.keys(actor.field!)[0] : undefined;
    const base = symbol === undefined ? {} : { [actor.step!]: symbol };
    const isList = (f: string) => t.contract.fields.find((x) => x.name === f)?.kind === 'array';
    for (const owner of [KANIM_A, 'EXT-KPK']) {
      const fields = [actingFields(actor, owner.startsWith('EXT-') ? 'party' : 'unit', base)!].flat();
      const put = (id: string) => Object.fromEntries(fields.map((f) => [f, isList(f) ? [id] : id]));
      expect(refused(name, owner, { ...base, ...put(t.actor!.standIns?.[owner] ?? owner) })).toEqual([]);
      expect(refused(name, owner, { ...base, ...put(KANIM_B) })).toEqual(fields.map((f) => `/data/${f}`));
      expect(refused(name, owner, base)).toEqual(fields.map((f) => `/data/${f}`));
    }
  });
});

describe('facts of another unit are refused, with a pointer to the field', () => {
  it.each<[string, string, string, Record<string, unknown>, string[]]>([
    ['a prison releases an inmate of another prison', 'pas.penghuni.bebas', LAPAS_B, { unit: LAPAS_A }, ['/data/unit']],
    [
      'a prison admits a person at another prison',
      'pas.penghuni.diterima',
      LAPAS_B,
      { unitPenerima: LAPAS_A },
      ['/data/unitPenerima'],
    ],
    [
      'a kanim cancels a bill of another kanim',
      'keu.pnbp.tagihan-diterbitkan',
      KANIM_B,
      { unit: KANIM_A, status: 'dibatalkan' },
      ['/data/unit'],
    ],
    [
      'a kanim issues a passport in the name of another',
      'imigrasi.paspor.diterbitkan',
      KANIM_B,
      { unitPenerbit: KANIM_A },
      ['/data/unitPenerbit'],
    ],
    [
      'a mission abroad issues a passport in the name of a kanim',
      'imigrasi.paspor.diterbitkan',
      'EXT-KEMENLU',
      { unitPenerbit: KANIM_A },
      ['/data/unitPenerbit'],
    ],
    ['a unit records attendance at another', 'sdm.presensi.tercatat', KANIM_B, { unit: KANIM_A }, ['/data/unit']],
    [
      'a kanwil records attendance at an office below it',
      'sdm.presensi.tercatat',
      KANWIL,
      { unit: KANIM_A },
      ['/data/unit'],
    ],
    ['a prison reports the occupancy of another', 'pas.hunian.dilaporkan', LAPAS_B, { unit: LAPAS_A }, ['/data/unit']],
    [
      'a unit states a change of a case that two others have',
      'layanan.kasus.status-berubah',
      KANIM_B,
      { unitPemegang: KANIM_A, unitSebelumnya: LAPAS_A },
      ['/data/unitPemegang', '/data/unitSebelumnya'],
    ],
    [
      'the origin of a transfer states the arrival',
      'pas.penghuni.dipindahkan',
      LAPAS_A,
      { unitAsal: LAPAS_A, unitTujuan: LAPAS_B, peristiwa: 'tiba' },
      ['/data/unitTujuan'],
    ],
    [
      'the target of a transfer states the departure',
      'pas.penghuni.dipindahkan',
      LAPAS_B,
      { unitAsal: LAPAS_A, unitTujuan: LAPAS_B, peristiwa: 'berangkat' },
      ['/data/unitAsal'],
    ],
    [
      'an agency proposes a ban in the name of another agency',
      'imigrasi.cegah.diusulkan',
      'EXT-KPK',
      { instansiPengusul: 'EXT-POLRI', unitPenginput: 'SU00018' },
      ['/data/instansiPengusul'],
    ],
    [
      'a kanwil states a decree, which is a step of the directorate',
      'ahu.pewarganegaraan.ditetapkan',
      KANWIL,
      { peristiwa: 'keppres_kabul', kanwilPelaksana: KANWIL },
      ['/data/peristiwa'],
    ],
    [
      'an outage at its own and at another unit',
      'layanan.gangguan.dilaporkan',
      KANIM_B,
      { unitTerdampak: [KANIM_B, KANIM_A] },
      ['/data/unitTerdampak'],
    ],
    ['an outage of nobody', 'layanan.gangguan.dilaporkan', KANIM_B, { unitTerdampak: [] }, ['/data/unitTerdampak']],
  ])('%s: %s from %s', (_what, name, owner, data, pointers) => {
    expect(refused(name, owner, data)).toEqual(pointers);
  });

  it('says in both languages whose fact it is and what is expected', () => {
    const { code, problems } = mayState(type('pas.penghuni.bebas'), of(LAPAS_B), { unit: LAPAS_A }, units)!;
    expect(code).toBe('unit_not_yours');
    expect(showProblem(problems[0]!, 'en')).toEqual({
      pointer: '/data/unit',
      reason: 'the unit that stands here is not the source: this is a fact of another unit',
      expected: LAPAS_B,
    });
    expect(showProblem(problems[0]!, 'id').reason).toMatch(/milik unit lain/);
  });
});

describe('the contract lets state facts of others', () => {
  it('below the source, where it says so: a directorate general for its immigration offices, and not the other way round', () => {
    expect(refused('imigrasi.izin-tinggal.berubah', 'SU00007', { unitPenerbit: KANIM_A })).toEqual([]);
    expect(refused('imigrasi.izin-tinggal.berubah', KANIM_A, { unitPenerbit: 'SU00007' })).toEqual([
      '/data/unitPenerbit',
    ]);
    const above = [...units.above(KANIM_A)].find((id) => units.get(id)?.type === 'kanwil')!;
    expect(refused('layanan.gangguan.dilaporkan', above, { unitTerdampak: [above, KANIM_A] })).toEqual([]);
  });

  it('exempt publishers, the hub, and types without an acting field', () => {
    expect(refused('layanan.gangguan.dilaporkan', 'SU00013', { unitTerdampak: [KANIM_A] })).toEqual([]);
    expect(refused('pp.harmonisasi.diajukan', 'EXT-PEMDA', { kanwil: KANWIL })).toEqual([]);
    expect(refused('pas.remisi.ditetapkan', 'SU00006', { unit: LAPAS_A })).toEqual([]);
    const warned = mayState(type('pas.penahanan.akan-berakhir'), 'urn:simpul:hub:clock', { unit: LAPAS_A }, units);
    expect(warned).toBeUndefined();
  });

  it('each side of a transfer its own step', () => {
    const both = { unitAsal: LAPAS_A, unitTujuan: LAPAS_B };
    expect(refused('pas.penghuni.dipindahkan', LAPAS_A, { ...both, peristiwa: 'berangkat' })).toEqual([]);
    expect(refused('pas.penghuni.dipindahkan', LAPAS_B, { ...both, peristiwa: 'tiba' })).toEqual([]);
    expect(
      refused('layanan.kasus.status-berubah', KANIM_A, { unitPemegang: KANIM_B, unitSebelumnya: KANIM_A }),
    ).toEqual([]);
  });

  it('a contract that was registered before contracts named an acting office asks nothing', () => {
    const old = { ...type('pas.penghuni.bebas'), publishers: ['any'], actor: undefined as ActorInfo | undefined };
    expect(mayState(old, of(LAPAS_B), { unit: LAPAS_A }, units)).toBeUndefined();
  });
});
