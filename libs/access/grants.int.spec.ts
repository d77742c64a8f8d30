import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Fault } from '#faults';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { readUnitSeed, UnitTree } from '#units';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from './access.js';
import { HUB_ACTOR, readAudit, type Actor } from './audit.js';
import { openAccess, type Access } from './open.js';
import { maySeeAct } from './see-right.js';

const units = new UnitTree(() => '2021-07-15');
for (const u of readUnitSeed(readFileSync(new URL('../../schemas/units.json', import.meta.url), 'utf8')).units)
  units.put(u.id, [u]);
/** The whistle-blower reports of ES1-ITJEN. */
const types = () => {
  typesAsked++;
  return [{ restricted: true, consumers: [{ code: 'unit:SU00003', level: 'full', why: 'tugas' } as const] }];
};
let typesAsked = 0;

const KUMHAM = 'SU00001';
const ITJEN = 'SU00003';
const tpi = units.list({ type: 'tpi' })[0]!;
const kanim = units.get(tpi.parent!)!;
const kanwil = units.get(kanim.parent!)!;
const otherKanim = units.list({ type: 'kanim' }).find((u) => u.parent !== kanwil.id)!;

let dir: string;
let log: EventLog;
let access: Access;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-grants-'));
  log = await openEmbeddedLog({ dir });
  access = await openAccess({ log, units, parties: new Set(['EXT-KPK']), types, now: Date.now });
});
afterEach(async () => {
  await access.close();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

/** An admin key of this owner, as the actor of its next calls. */
async function adminOf(owner: string): Promise<Actor> {
  const { id } = await access.createKey(HUB_ACTOR, { owner, system: 'admin', roles: ['admin'] });
  return { keyId: id, owner, system: 'admin' };
}
const spec = (owner: string, ...roles: Role[]) => ({ owner, system: 'uji', roles });

describe('a list of 1,000 keys', () => {
  it('is checked with a breath before each key, goes through the types once, and is refused with the problems of 50 keys', async () => {
    const by = await adminOf(kanim.id);
    const before = typesAsked;
    let breaths = 0;
    const breathe = (): undefined => void breaths++;
    const foreign = Array.from({ length: 1_000 }, () => spec(otherKanim.id, 'reader'));
    const refused = await access.createKeys(by, foreign, undefined, undefined, breathe).catch((e: unknown) => e);
    expect(refused).toMatchObject({ code: 'grant_exceeds_rights' });
    expect((refused as Fault).problems).toHaveLength(50);
    expect([breaths, typesAsked - before]).toEqual([1_050, 1]);
  });

  it('is not made when its asker has gone meanwhile', async () => {
    const by = await adminOf(kanim.id);
    const before = access.listKeys().length;
    const gone = new Error('gone');
    const mine = Array.from({ length: 3 }, () => spec(kanim.id, 'reader'));
    await expect(access.createKeys(by, mine, undefined, undefined, () => Promise.reject(gone))).rejects.toBe(gone);
    expect(access.listKeys()).toHaveLength(before);
  });
});

describe('an admin key of a unit', () => {
  it('gives keys with the roles publisher, reader and admin, to its own unit and to units below it', async () => {
    const by = await adminOf(kanim.id);
    for (const owner of [kanim.id, tpi.id])
      expect(await access.createKey(by, spec(owner, 'publisher', 'reader', 'admin'))).toMatchObject({ owner });
  });

  it('of a party gives keys with the same roles to its party, and to nobody else', async () => {
    const by = await adminOf('EXT-KPK');
    const made = await access.createKey(by, spec('EXT-KPK', 'publisher', 'reader', 'admin'));
    expect(made).toMatchObject({ owner: 'EXT-KPK', state: 'valid' });
    for (const wish of [spec(kanim.id, 'reader'), spec('EXT-KPK', 'steward'), spec('hub', 'admin')])
      await expect(access.createKey(by, wish)).rejects.toMatchObject({ code: 'grant_exceeds_rights' });
  });

  it.each<[string, string, Role[], string]>([
    ['a key of the hub', 'hub', ['admin'], '/unit'],
    ['a key of the unit above', kanwil.id, ['reader'], '/unit'],
    ['a key of a unit beside it', otherKanim.id, ['reader'], '/unit'],
    ['a key of a party', 'EXT-KPK', ['reader'], '/unit'],
    ['a key of ES1-ITJEN', ITJEN, ['reader'], '/unit'],
    ['a steward of its own unit', kanim.id, ['steward'], '/roles'],
    ['an operator below it', tpi.id, ['operator'], '/roles'],
    ['a data team of its own', kanim.id, ['reader', 'data-team'], '/roles'],
  ])(
    'gives no other key: %s is grant_exceeds_rights, and no key of the request is made',
    async (_what, owner, roles, at) => {
      const by = await adminOf(kanim.id);
      const before = access.listKeys().length;
      const made = access.createKeys(by, [spec(kanim.id, 'reader'), spec(owner, ...roles)]);
      await expect(made).rejects.toMatchObject({ code: 'grant_exceeds_rights', problems: [{ pointer: `/1${at}` }] });
      expect(access.listKeys()).toHaveLength(before);
    },
  );

  it('of the whole ministry, or of ES1-ITJEN itself, gives no key that reads what only ES1-ITJEN may read', async () => {
    for (const owner of [KUMHAM, ITJEN]) {
      const by = await adminOf(owner);
      await expect(access.createKey(by, spec(ITJEN, 'reader'))).rejects.toMatchObject({ code: 'grant_exceeds_rights' });
    }
    expect(await access.createKey(HUB_ACTOR, spec(ITJEN, 'reader'))).toMatchObject({ owner: ITJEN });
  });

  it('revokes what it could give: a key outside its tree does not exist for it, and a key with more rights stays', async () => {
    const by = await adminOf(kanim.id);
    const [below, above, hub, operator, itjen] = await access.createKeys(HUB_ACTOR, [
      spec(tpi.id, 'publisher'),
      spec(kanwil.id, 'reader'),
      spec('hub', 'admin'),
      spec(kanim.id, 'operator'),
      spec(ITJEN, 'reader'),
    ]);
    for (const { id } of [above!, hub!, itjen!])
      await expect(access.revokeKey(by, id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(access.revokeKey(by, operator!.id)).rejects.toMatchObject({ code: 'grant_exceeds_rights' });
    expect((await access.revokeKey(by, below!.id)).revokedBy).toBe(by.keyId);
    expect(access.listKeys().filter((k) => k.revokedAt !== undefined)).toHaveLength(1);
  });

  it('sees the keys of its tree and the audit records that concern them, and no others', async () => {
    const by = await adminOf(kanim.id);
    await access.createKeys(HUB_ACTOR, [spec(tpi.id, 'publisher'), spec(kanwil.id, 'reader')]);
    await access.createKey(HUB_ACTOR, spec(tpi.id, 'reader'));
    const own = access.listKeys(kanim.id);
    expect(own.map((k) => k.owner).sort()).toEqual([kanim.id, tpi.id, tpi.id].sort());
    const { records } = await readAudit(log, 0n, 100);
    const caller = { ...by, roles: new Set(['admin'] as const) };
    const seen = records.filter((r) => r.phase === 'intent' && maySeeAct(caller, r, units));
    // Its own key and the last one; not the record that also names a key of the unit above.
    expect(seen.map((r) => (r.after as { owner: string }[]).map((k) => k.owner))).toEqual([[kanim.id], [tpi.id]]);
    for (const owner of ['hub', kanwil.id]) expect(access.listKeys(owner).length).toBeGreaterThan(own.length);
  });
});
