import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { openMeta } from '#registry';
import { readUnitSeed, UnitTree } from '#units';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { audited, HUB_ACTOR, readAudit } from './audit.js';
import { KEYS_TOPIC, openAccess, type Access } from './open.js';
import { loadPseudonymKey } from './pseudonym-key.js';

const units = new UnitTree(() => '2021-07-15');
for (const u of readUnitSeed(readFileSync(new URL('../../schemas/units.json', import.meta.url), 'utf8')).units)
  units.put(u.id, [u]);
/** As the whistle-blower reports of ES1-ITJEN (SU00003). */
const types = () => [{ restricted: true, consumers: [{ code: 'unit:SU00003', level: 'full', why: 'tugas' } as const] }];
const spec = { owner: 'SU00123', system: 'simkim', roles: ['publisher'] as const };

let dir: string;
let log: EventLog;
let closers: (() => Promise<void>)[];
const open = async (on: EventLog = log): Promise<Access> => {
  const access = await openAccess({ log: on, units, parties: new Set(['EXT-KPK']), types, now: Date.now });
  closers.unshift(() => access.close());
  return access;
};
const second = async (): Promise<EventLog> => {
  const other = await openEmbeddedLog({ dir });
  closers.splice(closers.length - 1, 0, () => other.close());
  return other;
};
const valueOf = async (id: string): Promise<string | undefined> => {
  const batch = await log.read(KEYS_TOPIC, 0, 0n);
  if (batch.kind !== 'records') throw new Error('out of range');
  return batch.records.findLast((r) => r.key?.toString() === id)?.value?.toString();
};
const keyIn = (d: string): string => readFileSync(join(d, 'admin.key'), 'utf8').trim();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-access-'));
  log = await openEmbeddedLog({ dir });
  closers = [() => log.close()];
});
afterEach(async () => {
  for (const close of closers) await close();
  rmSync(dir, { recursive: true, force: true });
});

describe('keys', () => {
  it('are stored only as a hash', async () => {
    const access = await open();
    const { key } = await access.createKey(HUB_ACTOR, spec);
    const batch = await log.read(KEYS_TOPIC, 0, 0n);
    if (batch.kind !== 'records') throw new Error('out of range');
    const stored = Buffer.concat(batch.records.map((r) => r.value!)).toString();
    expect(stored).toContain('"sha256"');
    expect(stored).not.toContain(key.slice(16));
  });

  it('whose record cannot be read authenticate nobody, also when an earlier record of them could be read, and end live readers as a revocation does', async () => {
    const access = await open();
    const [damaged, whole] = await access.createKeys(HUB_ACTOR, [spec, spec]);
    const revoked: string[] = [];
    access.onRevoked((id) => revoked.push(id));
    const row = JSON.parse((await valueOf(damaged!.id))!) as Record<string, unknown>;
    const wrongs = [
      '{"id":"',
      'null',
      '5',
      JSON.stringify({ ...row, id: whole!.id }),
      JSON.stringify({ ...row, sha256: '' }),
    ];
    for (const value of wrongs) {
      const record = { key: Buffer.from(damaged!.id), value: Buffer.from(value), headers: [] };
      expect(await log.append(KEYS_TOPIC, 0, [record])).toMatchObject({ kind: 'accepted' });
    }
    await access.refresh();
    const unreadable: string[] = [];
    const loaded = await openAccess({
      log,
      units,
      parties: new Set(),
      types,
      now: Date.now,
      report: { unreadable: ({ key }) => unreadable.push(key) },
    });
    closers.unshift(() => loaded.close());
    for (const a of [access, loaded]) {
      expect(a.authenticate(`Bearer ${damaged!.key}`)).toBeUndefined();
      expect(a.authenticate(`Bearer ${whole!.key}`)?.keyId).toBe(whole!.id);
      expect(a.get(damaged!.id)).toBeUndefined();
    }
    expect(revoked).toEqual([damaged!.id]);
    expect(unreadable).toEqual(wrongs.map(() => damaged!.id));
  });

  it('authenticate their caller, also after the table was opened again; any other header authenticates nobody', async () => {
    const { id, key } = await (await open()).createKey(HUB_ACTOR, spec);
    const access = await open();
    for (const header of [`Bearer ${key}`, `bearer  ${key}`, `Bearer ${key}`])
      expect(access.authenticate(header)).toEqual({
        keyId: id,
        owner: 'SU00123',
        system: 'simkim',
        roles: new Set(['publisher']),
        expiry: expect.anything(),
      });
    const wrong = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
    for (const header of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      key,
      `Basic ${key}`,
      `Bearer ${wrong}`,
      `Bearer ${key}x`,
      `Bearer simpul_00000000_${'A'.repeat(43)}`,
      'x'.repeat(100_000),
    ])
      expect(access.authenticate(header)).toBeUndefined();
  });

  it('that one process revokes are refused by another process within 5 seconds, and its listeners are called', async () => {
    const [here, there] = [await open(), await open(await second())];
    const { id, key } = await here.createKey(HUB_ACTOR, spec);
    await there.refresh();
    expect(there.authenticate(`Bearer ${key}`)).toBeDefined();
    const revoked = new Promise<string>((resolve) => {
      there.onRevoked(resolve);
    });
    const began = Date.now();
    await here.revokeKey(HUB_ACTOR, id);
    expect(here.authenticate(`Bearer ${key}`)).toBeUndefined();
    expect(await revoked).toBe(id);
    expect(there.authenticate(`Bearer ${key}`)).toBeUndefined();
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  it('can be created by the thousand in one call, with distinct ids', async () => {
    const access = await open();
    const made = await access.createKeys(
      HUB_ACTOR,
      Array.from({ length: 1_200 }, () => spec),
    );
    expect(new Set(made.map((m) => m.id)).size).toBe(1_200);
    expect(access.authenticate(`Bearer ${made[1_199]!.key}`)?.keyId).toBe(made[1_199]!.id);
  });

  it('are cached after the first authentication: the next one answers the same object', async () => {
    const access = await open();
    const { key } = await access.createKey(HUB_ACTOR, spec);
    const header = `Bearer ${key}`;
    expect(access.authenticate(header)).toBe(access.authenticate(header));
  });
});

describe('the admin key', () => {
  it('is created once; a later start answers that it exists and changes nothing', async () => {
    const access = await open();
    const made = await access.ensureAdmin(dir);
    expect(made).toMatchObject({ kind: 'made', path: join(dir, 'admin.key') });
    expect(statSync(join(dir, 'admin.key')).mode & 0o777).toBe(0o600);
    expect(access.authenticate(`Bearer ${keyIn(dir)}`)?.roles).toEqual(new Set(['admin']));
    const text = keyIn(dir);
    expect(await (await open()).ensureAdmin(dir)).toEqual({ kind: 'exists', path: join(dir, 'admin.key') });
    expect(keyIn(dir)).toBe(text);
    rmSync(join(dir, 'admin.key'));
    expect(await access.ensureAdmin(dir)).toEqual({ kind: 'exists', path: undefined });
  });

  it('is created only once when two processes start at the same time', async () => {
    const [a, b] = [await open(), await open(await second())];
    const made = await Promise.all([a.ensureAdmin(dir), b.ensureAdmin(dir)]);
    expect(made.map((m) => m.kind).sort()).toEqual(['exists', 'made']);
    await a.refresh();
    expect(a.listKeys()).toHaveLength(1);
    expect(a.authenticate(`Bearer ${keyIn(dir)}`)).toBeDefined();
  });

  it('can be replaced on the machine of the hub: the lost admin key is revoked, keys of units stay valid', async () => {
    const access = await open();
    await access.ensureAdmin(dir);
    const lost = keyIn(dir);
    const unit = await access.createKey(HUB_ACTOR, { ...spec, roles: ['admin'] });
    expect(await access.resetAdmin(dir)).toMatchObject({ kind: 'made' });
    expect(access.authenticate(`Bearer ${lost}`)).toBeUndefined();
    expect(access.authenticate(`Bearer ${keyIn(dir)}`)).toBeDefined();
    expect(access.authenticate(`Bearer ${unit.key}`)).toBeDefined();
  });

  it('can be revoked while another admin key is valid, but never the last one', async () => {
    const access = await open();
    await access.ensureAdmin(dir);
    const own = access.listKeys()[0]!.id;
    await expect(access.revokeKey(HUB_ACTOR, own)).rejects.toMatchObject({ code: 'last_admin' });
    const unitAdmin = await access.createKey(HUB_ACTOR, { ...spec, roles: ['admin'] });
    // An admin of a unit administers its tree only: it does not stand in for the admin of the hub.
    await expect(access.revokeKey(HUB_ACTOR, own)).rejects.toMatchObject({ code: 'last_admin' });
    const other = await access.createKey(HUB_ACTOR, { owner: 'hub', system: 'admin-2', roles: ['admin'] });
    expect((await access.revokeKey(HUB_ACTOR, unitAdmin.id)).revokedBy).toBe('hub');
    expect((await access.revokeKey(HUB_ACTOR, own)).revokedBy).toBe('hub');
    await expect(access.revokeKey(HUB_ACTOR, other.id)).rejects.toMatchObject({ code: 'last_admin' });
  });
});

describe('audit', () => {
  it('does not run an action without a durable intent record', async () => {
    let done = false;
    const refusing = { append: () => Promise.resolve({ kind: 'refused', code: 'disk_full' } as const) };
    const act = { who: HUB_ACTOR, what: 'test.act', target: 't' };
    await expect(
      audited({ log: refusing, now: Date.now }, act, () => {
        done = true;
        return Promise.resolve();
      }),
    ).rejects.toMatchObject({ code: 'not_durable' });
    expect(done).toBe(false);
  });

  it('records who acted and the key before and after, and nothing else about the caller', async () => {
    const access = await open();
    const admin = { keyId: 'k1', owner: 'hub', system: 'admin', roles: new Set(['admin'] as const) };
    const made = await access.createKey(admin, { owner: 'SU00123', system: 'simkim', roles: ['reader'] });
    await access.revokeKey(admin, made.id, 'hilang');
    const { records } = await readAudit(log, 0n, 100);
    expect(records.map((r) => r.who)).toEqual(records.map(() => ({ keyId: 'k1', owner: 'hub', system: 'admin' })));
    expect(records.slice(-2)).toMatchObject([
      { what: 'key.revoke', phase: 'intent', before: { id: made.id } },
      { what: 'key.revoke', phase: 'done', after: { id: made.id, revokedBy: 'k1', revokedAt: expect.any(String) } },
    ]);
  });

  it('records a failed action with its fault code', async () => {
    const access = await open();
    await access.ensureAdmin(dir);
    await access.revokeKey(HUB_ACTOR, access.listKeys()[0]!.id, 'test').catch(() => undefined);
    const page = await readAudit(log, 0n, 100);
    expect(page.end).toBe(true);
    expect(page.records.map((r) => [r.what, r.phase, r.code])).toEqual([
      ['key.create', 'intent', undefined],
      ['key.create', 'done', undefined],
      ['key.revoke', 'intent', undefined],
      ['key.revoke', 'failed', 'last_admin'],
    ]);
    expect(page.records[2]).toMatchObject({ why: 'test', who: { keyId: 'hub' } });
  });
});

describe('the pseudonym key', () => {
  it('is not replaced when its fingerprint cannot be read: the start is refused, and nothing is written', async () => {
    const meta = await openMeta({ log });
    closers.unshift(() => meta.close());
    await loadPseudonymKey({ dir, meta });
    await log.append('_simpul.meta', 0, [{ key: Buffer.from('pseudonym'), value: Buffer.from('{}'), headers: [] }]);
    const end = (await log.describe('_simpul.meta'))[0]!.high;
    await expect(loadPseudonymKey({ dir, meta })).rejects.toMatchObject({ code: 'control_record_unreadable' });
    expect((await log.describe('_simpul.meta'))[0]!.high).toBe(end);
  });

  const load = async (file?: string) => {
    const meta = await openMeta({ log });
    try {
      return await loadPseudonymKey({ dir, meta, file });
    } finally {
      await meta.close();
    }
  };

  it('is created once, readable only by its owner, and loaded again later', async () => {
    const key = await load();
    expect(key).toHaveLength(32);
    expect(statSync(join(dir, 'pseudonym.key')).mode & 0o777).toBe(0o600);
    expect((await load()).equals(key)).toBe(true);
  });

  it('is refused when it is not the key of the stored data, and a lost key is not replaced', async () => {
    await load();
    const other = join(dir, 'other.key');
    writeFileSync(other, 'a'.repeat(64));
    await expect(load(other)).rejects.toMatchObject({ code: 'pseudonym_key_mismatch' });
    rmSync(join(dir, 'pseudonym.key'));
    await expect(load()).rejects.toMatchObject({ code: 'pseudonym_key_mismatch' });
    expect(() => statSync(join(dir, 'pseudonym.key'))).toThrow();
  });

  it('must be 64 hex digits in a file that exists', async () => {
    await expect(load(join(dir, 'nowhere.key'))).rejects.toMatchObject({ code: 'invalid_settings' });
    writeFileSync(join(dir, 'bad.key'), 'secret');
    await expect(load(join(dir, 'bad.key'))).rejects.toMatchObject({ code: 'invalid_settings' });
  });
});
