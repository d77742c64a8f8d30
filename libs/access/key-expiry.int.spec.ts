import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { UnitTree } from '#units';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HUB_ACTOR } from './audit.js';
import { expiryOf, KEY_LIVES } from './key-expiry.js';
import { KEYS_TOPIC, openAccess, type Access } from './open.js';

const DAY_MS = 86_400_000;
const BEGAN = Date.parse('2021-07-15T03:00:00Z');
const spec = { owner: 'EXT-KPK', system: 'portal', roles: ['reader'] as const };

let dir: string;
let log: EventLog;
let access: Access;
let now: number;
beforeEach(async () => {
  now = BEGAN;
  dir = mkdtempSync(join(tmpdir(), 'simpul-expiry-'));
  log = await openEmbeddedLog({ dir });
  const units = new UnitTree(() => '2021-07-15');
  access = await openAccess({ log, units, parties: new Set(['EXT-KPK']), types: () => [], now: () => now });
});
afterEach(async () => {
  await access.close();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a new key', () => {
  it('expires after a year unless its wish says when, and is refused from that moment on, also when it was used before', async () => {
    const [year, days] = await access.createKeys(HUB_ACTOR, [spec, { ...spec, expires: '90d' }]);
    expect(year!.expiresAt).toBe('2022-07-15T03:00:00.000Z');
    expect(days!.expiresAt).toBe('2021-10-13T03:00:00.000Z');
    const header = `Bearer ${days!.key}`;
    now = Date.parse(days!.expiresAt!) - 1;
    expect(access.authenticate(header)?.expiry?.atMs).toBe(now + 1);
    now++;
    expect(access.authenticate(header)).toBeUndefined();
    expect(access.get(days!.id)!.state).toBe('expired');
    expect(access.authenticate(`Bearer ${year!.key}`)).toBeDefined();
    // A clock that was wrong for a while has refused the key for that while only.
    now -= 2;
    expect(access.authenticate(header)).toBeDefined();
  });

  it('that has expired is told from a wrong one only to the holder of its whole text', async () => {
    const { key, id } = await access.createKey(HUB_ACTOR, { ...spec, expires: '1d' });
    expect(access.isExpired(`Bearer ${key}`)).toBe(false);
    now += DAY_MS;
    expect(access.isExpired(`Bearer ${key}`)).toBe(true);
    const wrong = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
    for (const header of [`Bearer ${wrong}`, `Bearer simpul_00000000_${'A'.repeat(43)}`, key, '', undefined])
      expect(access.isExpired(header)).toBe(false);
    await access.createKey(HUB_ACTOR, { owner: 'hub', system: 'a', roles: ['admin'] });
    await access.revokeKey(HUB_ACTOR, id);
    expect(access.isExpired(`Bearer ${key}`)).toBe(false);
  });

  it('says that it expires soon for 30 days, or for the last quarter of a shorter life', async () => {
    const [year, days] = await access.createKeys(HUB_ACTOR, [spec, { ...spec, expires: '40d' }]);
    const soon = (id: string): boolean => access.get(id)!.expiresSoon === true;
    now = BEGAN + 30 * DAY_MS - 1;
    expect(soon(days!.id)).toBe(false);
    now++;
    expect(soon(days!.id)).toBe(true);
    now = BEGAN + 335 * DAY_MS - 1;
    expect(soon(year!.id)).toBe(false);
    now++;
    expect(soon(year!.id)).toBe(true);
    expect(access.authenticate(`Bearer ${year!.key}`)?.expiry?.noticeMs).toBe(now);
  });

  it.each(['0d', '731d', '2021-07-14', '2030-01-01', '2021-07-15T02:59:59Z', 'besok', '', '2021-13-01'])(
    'is refused with the expiry %j, and none is made',
    async (expires) => {
      const made = access.createKey(HUB_ACTOR, { ...spec, expires });
      await expect(made).rejects.toMatchObject({ code: 'invalid_request', problems: [{ pointer: '/expires' }] });
      expect(access.listKeys()).toEqual([]);
    },
  );
});

it('a day is valid to its end in the zone of the unit', () => {
  expect(expiryOf('2021-07-20', 'WIT', BEGAN, KEY_LIVES)).toBe(Date.parse('2021-07-20T15:00:00Z'));
  expect(expiryOf('2021-07-20', undefined, BEGAN, KEY_LIVES)).toBe(Date.parse('2021-07-20T17:00:00Z'));
});

describe('a stored key', () => {
  it('of an earlier version, without an expiry, stays valid; so does the admin key that the hub makes itself', async () => {
    const { id, key } = await access.createKey(HUB_ACTOR, spec);
    const batch = await log.read(KEYS_TOPIC, 0, 0n);
    if (batch.kind !== 'records') throw new Error('out of range');
    const { expiresAt: _none, ...row } = JSON.parse(batch.records.at(-1)!.value!.toString()) as Record<string, unknown>;
    const old = { key: Buffer.from(id), value: Buffer.from(JSON.stringify(row)), headers: [] };
    expect(await log.append(KEYS_TOPIC, 0, [old])).toMatchObject({ kind: 'accepted' });
    await access.refresh();
    await access.ensureAdmin(dir);
    now += 100 * 365 * DAY_MS;
    expect(access.get(id)).toMatchObject({ state: 'valid' });
    expect(access.authenticate(`Bearer ${key}`)?.keyId).toBe(id);
    expect(access.authenticate(`Bearer ${readFileSync(join(dir, 'admin.key'), 'utf8').trim()}`)).toBeDefined();
  });

  it('whose expiry cannot be read authenticates nobody', async () => {
    const { id, key } = await access.createKey(HUB_ACTOR, spec);
    const batch = await log.read(KEYS_TOPIC, 0, 0n);
    if (batch.kind !== 'records') throw new Error('out of range');
    const row = JSON.parse(batch.records.at(-1)!.value!.toString()) as Record<string, unknown>;
    const value = Buffer.from(JSON.stringify({ ...row, expiresAt: 'kapan-kapan' }));
    await log.append(KEYS_TOPIC, 0, [{ key: Buffer.from(id), value, headers: [] }]);
    await access.refresh();
    expect(access.authenticate(`Bearer ${key}`)).toBeUndefined();
  });
});
