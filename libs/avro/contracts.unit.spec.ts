import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import avsc from 'avsc';
import { catalogue, contractFiles } from '../../bin/gen-catalogue.mjs';
import {
  checkSchema,
  compileEventContract,
  guard,
  nameOf,
  PII_CLASSES,
  sample,
  UNKNOWN_SYMBOL,
  type FieldInfo,
} from '#avro';

const ROOT = join(import.meta.dirname, '../..');
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');
const contracts = contractFiles(ROOT).map((file) => ({ file, contract: compileEventContract(read('schemas', file)) }));
const table = contracts.map((c) => [c.contract.properties.type, c.contract, c.file] as const);

describe('the contracts in schemas/', () => {
  it('are 42 event types of the ministry and at least 2 types of the hub itself', () => {
    expect(table.filter(([type]) => !type.startsWith('simpul.'))).toHaveLength(42);
    expect(table.filter(([type]) => type.startsWith('simpul.')).length).toBeGreaterThanOrEqual(2);
  });

  it('give exactly the checked-in catalogue.json', () => {
    expect(JSON.parse(read('schemas/catalogue.json'))).toEqual(catalogue(ROOT));
  });

  it('have one subject per stream, or a stream with one partition', () => {
    for (const s of catalogue(ROOT).streams) {
      const own = contracts.filter((c) => c.contract.properties.stream === s.name).map((c) => c.contract.properties);
      const subjects = new Set(own.map((p) => `${p.subject.join('+')} ${p.subjectForm}`));
      expect([s.name, subjects.size === 1 || own.every((p) => p.partitions === 1)]).toEqual([s.name, true]);
      expect(new Set(own.map((p) => p.ordering)).size).toBe(1);
    }
  });

  it.each(table)('%s: is in the file of its name, and its properties agree with its fields', (type, contract, file) => {
    const p = contract.properties;
    expect(file).toBe(`${type.replaceAll('.', '/')}.v${p.version}.avsc`);
    expect(contract.name).toBe(nameOf(type));
    expect(checkSchema(contract.schemaText)).toEqual([]);
    const byName = new Map(contract.fields.map((f) => [f.name, f]));
    for (const s of p.subject) expect(byName.get(s)?.optional).toBe(false);
    expect(p.unitFields).toEqual(contract.fields.filter((f) => f.role === 'unitId').map((f) => f.name));
    const worst = Math.max(...contract.fields.map((f) => PII_CLASSES.indexOf(f.pii)));
    expect(p.highestPii).toBe(PII_CLASSES[worst]);
    const personal = p.subject.some((s) => PII_CLASSES.indexOf(byName.get(s)!.pii) > 1);
    expect(p.subjectForm).toBe(personal ? 'pseudonym' : 'clear');
  });

  it.each(table)(
    '%s: every enum has labels and the default symbol, and every field with a class above umum has a legal ground',
    (_type, contract) => {
      const check = (fields: readonly FieldInfo[]): void => {
        for (const f of fields) {
          if (PII_CLASSES.indexOf(f.pii) > 1) expect([f.name, typeof f.legal]).toEqual([f.name, 'string']);
          const v = f.items ?? f;
          if (v.kind === 'enum') {
            expect(v.symbols![0]).toBe(UNKNOWN_SYMBOL);
            expect(Object.keys(v.labels!)).toEqual(v.symbols!.slice(1));
            for (const l of Object.values(v.labels!)) expect(l.id !== '' && l.en !== '').toBe(true);
          }
          if (v.fields) check(v.fields);
        }
      };
      check(contract.fields);
    },
  );

  it.each(table)(
    '%s: the golden JSON encodes to the golden bytes, and they decode to the golden JSON',
    (type, contract) => {
      const bytes = readFileSync(join(ROOT, 'schemas/golden', `${type}.avro`));
      const data = JSON.parse(read('schemas/golden', `${type}.json`)) as unknown;
      const encoded = contract.encode(data, 7);
      if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
      expect(encoded.value.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, 7]));
      expect(encoded.value.subarray(5).equals(bytes)).toBe(true);
      expect(contract.decode(bytes, { framed: false })).toEqual(data);
    },
  );

  it.each(table)(
    '%s: samples are valid, pass the guard, and survive decoding and encoding unchanged',
    (_type, contract) => {
      for (let seed = 0; seed < 25; seed++) {
        const encoded = contract.encode(sample(contract, seed), 1);
        if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
        expect(guard(contract, encoded.value, 5)).toEqual({ ok: true });
        const back = contract.decode(encoded.value, { framed: true });
        const again = contract.encode(back, 1);
        expect(again.ok && again.value.equals(encoded.value)).toBe(true);
        expect(contract.decode(encoded.value, { framed: true, reader: contract })).toEqual(back);
        expect(sample(contract, seed)).toEqual(sample(contract, seed));
      }
    },
  );

  it.each(table)('%s: avsc reads the schema and our bytes, and writes the same bytes', (_type, contract) => {
    const type = avsc.Type.forSchema(JSON.parse(contract.schemaText) as avsc.Schema);
    for (let seed = 0; seed < 5; seed++) {
      const encoded = contract.encode(sample(contract, seed), 1);
      if (!encoded.ok) throw new Error('invalid sample');
      const body = encoded.value.subarray(5);
      expect(type.toBuffer(type.fromBuffer(body)).equals(body)).toBe(true);
    }
  });

  it.each(table)('%s: the guard refuses bytes that are cut short or too long', (_type, contract) => {
    const encoded = contract.encode(sample(contract, 0), 1);
    if (!encoded.ok) throw new Error('invalid sample');
    const body = encoded.value.subarray(5);
    for (let cut = 0; cut < body.length; cut += Math.max(1, Math.floor(body.length / 60))) {
      expect(guard(contract, body.subarray(0, cut), 0).ok).toBe(false);
    }
    expect(guard(contract, Buffer.concat([body, Buffer.from([0])]), 0)).toMatchObject({
      ok: false,
      code: 'avro_decode_failed',
    });
  });
});

describe('invented data', () => {
  it('has only NIK that begin with 99 and e-mail addresses that cannot exist', () => {
    for (const [, contract] of table) {
      const data = sample(contract, 0);
      for (const f of contract.fields) {
        if (f.role === 'nik') expect(data[f.name]).toMatch(/^99\d{14}$/);
        if (f.role === 'email') expect(data[f.name]).toMatch(/@example\.invalid$/);
      }
    }
  });
});

describe('Avro names', () => {
  it('are derived from the name of the event type', () => {
    expect(nameOf('imigrasi.izin-tinggal.berubah')).toBe('imigrasi.izin_tinggal.Berubah');
    expect(nameOf('imigrasi.paspor.permohonan-diajukan')).toBe('imigrasi.paspor.PermohonanDiajukan');
    expect(nameOf('ki.merek.3d-terdaftar')).toBe('ki.merek._3dTerdaftar');
  });
});
