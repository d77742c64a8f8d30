import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { decodeAs, encodeEvent, type EventToken } from '#sdk';
import { catalogue } from '../../bin/gen-catalogue.mjs';
import { typeErrors } from '../../test/kit/type-check.js';
import * as tokens from './index.js';

const ROOT = join(import.meta.dirname, '../..');
const golden = (name: string): Buffer => readFileSync(join(ROOT, 'schemas/golden', name));
const named = Object.entries(tokens as Readonly<Record<string, EventToken<Readonly<Record<string, unknown>>>>>);
const { types } = catalogue(ROOT);

describe('the generated event types', () => {
  it('are those of schemas, each with a token, and no other file', () => {
    expect(named.map(([, { type }]) => type).sort()).toEqual(types.map(({ type }) => type).sort());
    const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'));
    expect(files.sort()).toEqual([...types.map(({ type }) => `${type}.ts`), 'index.ts'].sort());
  });

  it.each(named.map(([name, token]) => [token.type, name, token] as const))(
    '%s: its token encodes the golden sample to the bytes of the hub, and decodes them',
    (type, _name, token) => {
      const data = JSON.parse(golden(`${type}.json`).toString()) as Readonly<Record<string, unknown>>;
      const bytes = golden(`${type}.avro`);
      expect(Buffer.from(encodeEvent(token, data))).toEqual(bytes);
      expect(decodeAs(token, token.schema, bytes)).toEqual(data);
    },
  );

  it('pass the compiler with their golden samples, to publish and to read', () => {
    const uses = named.map(
      ([name, { type }]) => `export const ${name}: ToPublish<t.${name}Data> = ${golden(`${type}.json`).toString()};
t.${name} satisfies EventToken<t.${name}Data>;
${name} satisfies DataOf<typeof t.${name}>;`,
    );
    const imports = `import type { DataOf, EventToken, ToPublish } from '#sdk';\nimport * as t from '#event-types';\n`;
    expect(typeErrors({ 'samples.ts': imports + uses.join('\n') })).toEqual([]);
  });

  it('make the compiler refuse a wrong field, symbol and form, an unknown and a missing field, and a symbol that is for readers only', () => {
    const sample = golden('imigrasi.paspor.diterbitkan.json').toString();
    const publish = (change: string): string =>
      `encodeEvent(t.PasporDiterbitkan, { ...(${sample} as const), ${change} });`;
    const wrong = [
      `nik: 9971011507210001`,
      `jenisPaspor: 'diplomatik'`,
      `jenisPaspor: '_tidak_dikenal'`,
      `tanggalTerbit: new Date()`,
      `nomerPaspor: 'X'`,
      `menggantikanNomor: undefined`,
      `namaLengkap: null`,
    ].map(publish);
    const right = [`waktuSerah: null`, `nik: '9971011507210001'`].map(publish);
    const missing = `encodeEvent(t.PasporDiterbitkan, { nomorPaspor: 'X' });`;
    const head = `import { encodeEvent } from '#sdk';\nimport * as t from '#event-types';`;
    const lines = [...wrong, missing, ...right].map((line) => line.replaceAll('\n', ' '));
    const errors = typeErrors({ 'wrong.ts': [head, ...lines].join('\n') });
    const refused = new Set(errors.map((e) => Number(/:(\d+) /.exec(e)![1]) - 3));
    expect([...refused].sort((a, b) => a - b)).toEqual([...wrong, missing].map((_, i) => i));
  });
});
