import { describe, expect, it } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import { parseSource } from '#event';
import { CatalogueIndex, readProperties, schemaValue, registrySubject } from '#registry';
import { readUnitSeed, UNIT_CHANGED, unitChangeProblems, UnitTree } from '#units';
import type { Caller } from './access.js';
import { mayState } from './acting.js';
import { mayPublish } from './publish-right.js';
import { sampleEvent } from './sample-event.js';

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
const made = { id: 'e-1', time: '2021-07-15T00:00:00.000Z' };
const nobody: Caller = { keyId: 'K1', owner: 'hub', system: 'admin', roles: new Set(['admin']) };

describe('a sample event', () => {
  it('exists for every event type of the ministry', () => {
    expect(catalogue.types().length).toBeGreaterThanOrEqual(44);
  });

  it.each(catalogue.types().map((t) => t.type))(
    'of %s is valid, comes from a publisher of the type, states a fact of its own source and names existing units',
    (name) => {
      const type = catalogue.newest(name)!;
      for (const seed of [0, 1, 2, 3]) {
        const e = sampleEvent(type, seed, nobody, units, made);
        expect(type.contract.encode(e.data, 1)).toMatchObject({ ok: true });
        if (name === UNIT_CHANGED) expect(unitChangeProblems(e.data, units)).toEqual([]);
        const s = parseSource(e.source)!;
        const publisher: Caller = {
          keyId: 'K2',
          owner: s.kind === 'unit' ? s.unit : s.kind === 'party' ? s.party : 'hub',
          system: s.kind === 'hub' ? s.role : s.system,
          roles: new Set(['publisher']),
        };
        expect(mayPublish(publisher, type, e.source, e.data, units)).toBeUndefined();
        expect(mayState(type, e.source, e.data, units)).toBeUndefined();
        for (const f of type.unitFields)
          for (const id of [e.data[f] ?? []].flat()) expect(units.get(id as string)).toBeDefined();
        expect(e.subject).toBe(type.subjectForm === 'clear' ? type.subject.map((f) => e.data[f]).join(':') : undefined);
      }
    },
  );

  it.each(
    catalogue
      .types()
      .flatMap((t) => t.publishers.filter((p) => p.startsWith('party:')).map((p) => [t.type, p.slice(6)])),
  )('of %s for the party %s is one that the party may publish', (name, party) => {
    const asker: Caller = { keyId: 'K4', owner: party, system: 'portal', roles: new Set(['publisher']) };
    const type = catalogue.newest(name)!;
    for (const seed of [0, 1]) {
      const e = sampleEvent(type, seed, asker, units, made);
      expect(e.source).toBe(`urn:simpul:party:${party}:portal`);
      expect(type.contract.encode(e.data, 1)).toMatchObject({ ok: true });
      expect(mayState(type, e.source, e.data, units)).toBeUndefined();
    }
  });

  it('has the source of the asker when its key may publish the type', () => {
    const kanim = units.list({ type: 'kanim' })[5]!;
    const asker: Caller = { keyId: 'K3', owner: kanim.id, system: 'simkim', roles: new Set(['publisher']) };
    const e = sampleEvent(catalogue.newest('imigrasi.paspor.diterbitkan')!, 0, asker, units, made);
    expect(e.source).toBe(`urn:simpul:unit:${kanim.id}:simkim`);
    expect(e.data['unitPenerbit']).toBe(kanim.id);
  });
});
