import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHub, silentHub } from '../../test/kit/hub/hub-module.js';
import { resetAdminKey } from './index.js';

describe('a lost admin key', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-hub-reset-'));
  const settings = silentHub(dir);
  const file = join(dir, 'admin.key');
  const open = () => openHub(dir);
  const bearer = (): string => `Bearer ${readFileSync(file, 'utf8').trim()}`;
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('is replaced on the machine of the hub: the old key is revoked, and only the owner can read the new file', async () => {
    const before = await open();
    const old = bearer();
    // The embedded engine belongs to one process at a time.
    await expect(resetAdminKey(settings)).rejects.toMatchObject({ code: 'data_locked' });
    expect(before.core.access.authenticate(old)?.roles).toEqual(new Set(['admin']));
    await before.close();

    rmSync(file);
    const without = await open();
    expect(without.core.adminKey).toEqual({ kind: 'exists', path: undefined });
    await without.close();

    expect(await resetAdminKey(settings)).toBe(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const after = await open();
    expect(after.core.adminKey.path).toBe(file);
    expect([after.core.access.authenticate(old), after.core.access.authenticate(bearer())?.roles]).toEqual([
      undefined,
      new Set(['admin']),
    ]);
    await after.close();
  });
});
