import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { readUnitSeed, UnitTree } from '#units';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from './access.js';
import { HUB_ACTOR, readAudit, type Actor } from './audit.js';
import { openAccess, type Access } from './open.js';

const DAY_MS = 86_400_000;
const units = new UnitTree(() => '2021-07-15');
for (const u of readUnitSeed(readFileSync(new URL('../../schemas/units.json', import.meta.url), 'utf8')).units)
  units.put(u.id, [u]);
/** The whistle-blower reports of ES1-ITJEN. */
const types = () => [{ restricted: true, consumers: [{ code: 'unit:SU00003', level: 'full', why: 'tugas' } as const] }];

let dir: string;
let log: EventLog;
let access: Access;
let now: number;
const open = () => openAccess({ log, units, parties: new Set(), types, now: () => now });
beforeEach(async () => {
  now = Date.parse('2021-07-15T03:00:00Z');
  dir = mkdtempSync(join(tmpdir(), 'simpul-four-eyes-'));
  log = await openEmbeddedLog({ dir });
  access = await open();
});
afterEach(async () => {
  await access.close();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const spec = (owner: string, ...roles: Role[]) => ({ owner, system: 'uji', roles });
/** An admin key of the hub, made by the hub itself. */
async function hubAdmin(): Promise<Actor> {
  const { id } = await access.createKey(HUB_ACTOR, spec('hub', 'admin'));
  return { keyId: id, owner: 'hub', system: 'uji' };
}
const isValid = (key: string): boolean => access.authenticate(`Bearer ${key}`) !== undefined;

describe('with two admins of the hub', () => {
  it.each<[string, string, Role[]]>([
    ['an admin key of the hub', 'hub', ['admin']],
    ['a steward key of a unit', 'SU00013', ['reader', 'steward']],
    ['a key of an owner that a restricted type names', 'SU00003', ['reader']],
  ])('%s is a wish that is valid once the second one approves it, in every process', async (_what, owner, roles) => {
    const [first, second] = [await hubAdmin(), await hubAdmin()];
    const made = await access.createKey(first, spec(owner, ...roles));
    expect(made).toMatchObject({ state: 'pending', wish: { state: 'open' } });
    expect(made).not.toHaveProperty('revokedAt');
    expect(isValid(made.key)).toBe(false);
    await expect(access.approveKey(first, made.id)).rejects.toMatchObject({ code: 'second_admin_needed' });
    expect(await access.approveKey(second, made.id)).toMatchObject({
      state: 'valid',
      wish: { decidedBy: second.keyId },
    });
    expect(isValid(made.key)).toBe(true);
    expect((await access.approveKey(second, made.id)).state).toBe('valid');
    const other = await open();
    expect(other.authenticate(`Bearer ${made.key}`)?.owner).toBe(owner);
    await other.close();
  });

  it('other keys are valid at once, in the same request as a wish', async () => {
    const [first] = [await hubAdmin(), await hubAdmin()];
    const made = await access.createKeys(first, [spec('SU00013', 'reader'), spec('SU00013', 'steward')]);
    expect(made.map((k) => [k.state, isValid(k.key)])).toEqual([
      ['valid', true],
      ['pending', false],
    ]);
  });

  it('a wish that is refused, withdrawn or not approved within 7 days is never valid', async () => {
    const [first, second] = [await hubAdmin(), await hubAdmin()];
    const made = await access.createKeys(
      first,
      [1, 2, 3, 4].map(() => spec('SU00013', 'steward')),
    );
    const [refused, withdrawn, revoked, late] = made.map((k) => k.id);
    expect((await access.refuseKey(second, refused!)).state).toBe('refused');
    expect((await access.refuseKey(first, withdrawn!)).state).toBe('refused');
    expect((await access.revokeKey(second, revoked!)).state).toBe('refused');
    now += 7 * DAY_MS;
    for (const id of [refused!, withdrawn!, revoked!, late!])
      await expect(access.approveKey(second, id)).rejects.toMatchObject({ code: 'wish_closed' });
    expect(made.map((k) => [access.get(k.id)!.state, isValid(k.key)])).toEqual([
      ['refused', false],
      ['refused', false],
      ['refused', false],
      ['lapsed', false],
    ]);
  });

  it('a wish of an admin whose key was revoked meanwhile cannot be approved', async () => {
    const [first, second, third] = [await hubAdmin(), await hubAdmin(), await hubAdmin()];
    const { id } = await access.createKey(first, spec('SU00013', 'steward'));
    await access.revokeKey(second, first.keyId);
    await expect(access.approveKey(third, id)).rejects.toMatchObject({ code: 'wish_closed' });
  });

  it('an admin that revokes the other one is not alone for the next 7 days; the machine of the hub can make a new admin', async () => {
    const [first, second] = [await hubAdmin(), await hubAdmin()];
    await access.revokeKey(first, second.keyId);
    expect((await access.createKey(first, spec('hub', 'admin'))).state).toBe('pending');
    now += 7 * DAY_MS - 1;
    expect((await access.createKey(first, spec('SU00013', 'steward'))).state).toBe('pending');
    now += 1;
    expect((await access.createKey(first, spec('SU00013', 'steward'))).state).toBe('valid');
    expect(await access.resetAdmin(dir)).toMatchObject({ kind: 'made' });
    expect(isValid(readFileSync(join(dir, 'admin.key'), 'utf8').trim())).toBe(true);
  });

  it('an admin whose second one has expired is not alone for the next 7 days', async () => {
    const first = await hubAdmin();
    await access.createKey(HUB_ACTOR, { ...spec('hub', 'admin'), expires: '1d' });
    now += DAY_MS;
    expect((await access.createKey(first, spec('SU00013', 'steward'))).state).toBe('pending');
    now += 7 * DAY_MS - 1;
    expect((await access.createKey(first, spec('hub', 'admin'))).state).toBe('pending');
    now += 1;
    expect((await access.createKey(first, spec('SU00013', 'steward'))).state).toBe('valid');
  });

  it('every wish, approval and refusal is an audit record with who, which key and why', async () => {
    const [first, second] = [await hubAdmin(), await hubAdmin()];
    const [a, b] = await access.createKeys(first, [spec('SU00013', 'steward'), spec('hub', 'admin')], 'mutasi');
    await access.approveKey(second, a!.id, 'surat 7');
    await access.refuseKey(second, b!.id, 'tidak perlu');
    const { records } = await readAudit(log, 0n, 100);
    expect(records.slice(-6).map((r) => [r.what, r.phase, r.who.keyId, r.why])).toEqual([
      ['key.wish', 'intent', first.keyId, 'mutasi'],
      ['key.wish', 'done', first.keyId, 'mutasi'],
      ['key.approve', 'intent', second.keyId, 'surat 7'],
      ['key.approve', 'done', second.keyId, 'surat 7'],
      ['key.refuse', 'intent', second.keyId, 'tidak perlu'],
      ['key.refuse', 'done', second.keyId, 'tidak perlu'],
    ]);
    expect(records.at(-1)).toMatchObject({ target: b!.id, after: { state: 'refused' } });
    expect(JSON.stringify(records)).not.toContain(a!.key);
  });
});

describe('with one admin of the hub', () => {
  it('every key is valid at once, also the second admin', async () => {
    const only = await hubAdmin();
    const made = await access.createKeys(only, [spec('SU00013', 'steward'), spec('hub', 'admin')]);
    expect(made.map((k) => k.state)).toEqual(['valid', 'valid']);
    expect((await access.createKey(only, spec('SU00003', 'reader'))).state).toBe('pending');
  });
});
