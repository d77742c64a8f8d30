import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readHubSettings } from '#settings';
import { openCore, resetAdminKey } from './index.js';

describe('a lost admin key', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-hub-reset-'));
  const settings = { SIMPUL_DATA: dir, SIMPUL_LOG_LEVEL: 'silent', SIMPUL_PARTITIONS: '2' };
  const file = join(dir, 'admin.key');
  const open = () => openCore(readHubSettings(settings), 'hub');
  const bearer = (): string => `Bearer ${readFileSync(file, 'utf8').trim()}`;
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('is replaced on the machine of the hub: the old one is revoked, the new one is for its owner alone', async () => {
    const before = await open();
    const old = bearer();
    // The embedded engine belongs to one process at a time.
    await expect(resetAdminKey(settings)).rejects.toMatchObject({ code: 'data_locked' });
    expect(before.access.authenticate(old)?.roles).toEqual(new Set(['admin']));
    await before.close();

    rmSync(file);
    const without = await open();
    expect(without.adminKey).toEqual({ kind: 'exists', path: undefined });
    await without.close();

    expect(await resetAdminKey(settings)).toBe(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const after = await open();
    expect(after.adminKey.path).toBe(file);
    expect([after.access.authenticate(old), after.access.authenticate(bearer())?.roles]).toEqual([
      undefined,
      new Set(['admin']),
    ]);
    await after.close();
  });
});
