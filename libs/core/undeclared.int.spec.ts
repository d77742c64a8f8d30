import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compileView, parseView, type GenerationRow, type ViewDefinition } from '#projection';
import { openEmbeddedLog } from '#log-embedded';
import type { EventLog } from '#log';
import { openMeta, openRegistry, readProperties, registrySubject, type Registry } from '#registry';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogueOfFiles, viewTexts } from '../../test/kit/projection/events.js';
import { Concerns } from './concerns.js';
import { readContracts, readViews } from './contracts.js';
import { compileViews, undeclaredReport, type UndeclaredContract } from './undeclared.js';

const contracts = readContracts();
const subjectOf = (schema: string): string => registrySubject(readProperties(schema)!);
type Properties = Record<string, unknown>;
function changed(schema: string, change: (simpul: Properties) => void): string {
  const json = JSON.parse(schema) as { simpul: Properties };
  change(json.simpul);
  return JSON.stringify(json);
}
const without = (name: string) => (simpul: Properties) => void delete simpul[name];
const warned: object[] = [];
const logger = { warn: (facts: object) => void warned.push(facts) };
let concerns: Concerns;
beforeEach(() => {
  warned.length = 0;
  concerns = new Concerns();
});

describe('a contract that is registered now', () => {
  let dir: string;
  let log: EventLog;
  let registry: Registry;
  let close: () => Promise<void>;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-undeclared-'));
    log = await openEmbeddedLog({ dir });
    const meta = await openMeta({ log });
    registry = await openRegistry({ log, meta, defaultPartitions: 2 });
    close = async () => {
      await registry.close();
      await meta.close();
      await log.close();
    };
  });
  afterEach(async () => {
    await close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('must say which field names the acting office, or why none does: each of the contracts without it is refused with a pointer, by itself and in a list', async () => {
    expect(contracts.length).toBeGreaterThanOrEqual(42);
    for (const schema of contracts) {
      const bare = changed(schema, without('actor'));
      for (const register of [
        () => registry.register(subjectOf(bare), bare),
        () => registry.registerMissing([bare]),
        () =>
          registry.register(
            subjectOf(bare),
            changed(schema, (s) => (s['actor'] = { field: null })),
          ),
      ])
        await expect(register()).rejects.toMatchObject({
          code: 'invalid_schema',
          problems: [expect.objectContaining({ pointer: '/simpul/actor' })],
        });
    }
    expect(registry.catalogue.types()).toEqual([]);
    // Nothing of a list is registered when one of it is refused.
    await expect(registry.registerMissing([contracts[0]!, changed(contracts[1]!, without('actor'))])).rejects.toThrow();
    expect(registry.catalogue.types()).toEqual([]);
    await registry.registerMissing(contracts);
    expect(registry.catalogue.types()).toHaveLength(contracts.length);
  });

  it('never makes a clear subject of a field that identifies a person: a subject is masked for nobody', async () => {
    const sealed = contracts.filter((schema) => schema.includes('"subjectForm": "pseudonym"'));
    expect(sealed.length).toBeGreaterThanOrEqual(8);
    for (const schema of sealed) {
      const clear = changed(schema, (s) => (s['subjectForm'] = 'clear'));
      await expect(registry.register(subjectOf(clear), clear)).rejects.toMatchObject({
        code: 'invalid_schema',
        problems: [expect.objectContaining({ pointer: '/simpul/subjectForm' })],
      });
    }
    expect(registry.catalogue.types()).toEqual([]);
  });

  it('must be complete in every other property too, and a schema that is no event type needs none', async () => {
    const bare = changed(contracts[0]!, without('stream'));
    await expect(registry.register('uji', bare)).rejects.toMatchObject({
      problems: [expect.objectContaining({ pointer: '/simpul/stream' })],
    });
    const plain = JSON.stringify({ type: 'record', name: 'A', namespace: 'uji', fields: [] });
    expect(await registry.register('uji-uji.A', plain)).toMatchObject({ version: 1, fresh: true });
  });
});

it('a contract that an earlier version has registered without an acting field is told in one line and as a concern, until it has one; a restricted one by no name', () => {
  const catalogue = catalogueOfFiles();
  const [open, restricted] = [
    catalogue.newest('pas.penghuni.diterima')!,
    catalogue.types().find((type) => type.restricted)!,
  ];
  const report = undeclaredReport(logger, concerns);
  const bare = ({ type, restricted }: typeof open): UndeclaredContract => ({ type, restricted, actor: undefined });
  for (const type of [open, restricted, open, restricted]) report.contract(bare(type));
  expect(concerns.list().map(({ subject, setting }) => [subject, setting])).toEqual([
    ['pas.penghuni.diterima', 'actor'],
    ['restricted', 'actor'],
  ]);
  expect(warned).toHaveLength(2);
  report.contract(open);
  expect(concerns.list()).toHaveLength(1);
});

describe('a view file', () => {
  const catalogue = catalogueOfFiles();
  const views = readViews();
  const bare = (name: string, ...leave: ('owner' | 'ownerWhy')[]): ViewDefinition => {
    const { owner, ownerWhy, ...def } = parseView(viewTexts().get(name)!);
    return {
      ...def,
      ...(leave.includes('owner') ? { owner: owner! } : {}),
      ...(leave.includes('ownerWhy') ? { ownerWhy: ownerWhy! } : {}),
    };
  };
  const compile = (defs: readonly ViewDefinition[], rows: Record<string, GenerationRow> = {}) =>
    compileViews(defs, catalogue, { row: (name) => rows[name] }, undeclaredReport(logger, concerns));

  it('of a view that is new here must say who may change its entries, and why: each of them without that is refused with a pointer', () => {
    for (const { name } of views) {
      const refused = (def: ViewDefinition) => {
        try {
          compile([def]);
        } catch (e) {
          return e;
        }
        return undefined;
      };
      const source = parseView(viewTexts().get(name)!).sources.some((s) => s.owner !== undefined);
      // A source with an owner needs one of the view in any case.
      if (!source)
        expect(refused(bare(name, 'ownerWhy'))).toMatchObject({
          code: 'invalid_schema',
          problems: [{ pointer: '/owner' }],
        });
      expect(refused(bare(name, 'owner'))).toMatchObject({
        code: 'invalid_schema',
        problems: [{ pointer: '/ownerWhy' }],
      });
    }
    expect(compile(views)).toHaveLength(views.length);
    expect(concerns.list()).toEqual([]);
  });

  it('that an earlier version has registered without an owner is folded as before, and told in one line and as a concern; changed, it is refused', () => {
    const def = bare('layanan.kasus-papan');
    const { fingerprint } = compileView(def, catalogue);
    const rows = { [def.name]: { serving: 1, fingerprint } };
    expect(compile([def], rows).map((v) => v.fingerprint)).toEqual([fingerprint]);
    expect(concerns.list()).toEqual([expect.objectContaining({ subject: def.name, setting: 'owner' })]);
    expect(warned).toEqual([{ about: def.name }]);
    const other = { ...def, titleEn: 'Another' };
    expect(() => compile([other], rows)).toThrow(expect.objectContaining({ code: 'invalid_schema' }));
    expect(() => compile([def])).toThrow(expect.objectContaining({ code: 'invalid_schema' }));
  });
});
