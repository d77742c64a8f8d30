import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from './index.js';
import { DiskProbe } from './disk-probe.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-probe-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the check whether a log can be written', () => {
  it('leaves nothing behind in a folder that takes data', async () => {
    await new DiskProbe(dir).check();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('says folder_unusable where no file can be written, and is well again when one can', async () => {
    const folder = join(dir, 'data');
    const probe = new DiskProbe(folder);
    writeFileSync(folder, 'a file where the folder should be');
    await expect(probe.check()).rejects.toMatchObject({ code: 'folder_unusable' });
    rmSync(folder);
    mkdirSync(folder);
    await expect(probe.check()).resolves.toBeUndefined();
  });

  it('looks again at once after an append was refused for a full disk', async () => {
    const log = await openEmbeddedLog({ dir, maxPages: 40 });
    try {
      await log.ensureTopic({ name: 'uji.a', partitions: 1, cleanup: 'keep' });
      await log.checkWritable?.();
      const one = { key: Buffer.from('k'), value: Buffer.alloc(400_000), headers: [] };
      expect(await log.append('uji.a', 0, [one])).toMatchObject({ kind: 'refused', code: 'disk_full' });
      // Where the file of the probe would lie there is a folder now: only a new look can see it.
      mkdirSync(join(dir, 'write-probe'));
      await expect(log.checkWritable?.()).rejects.toMatchObject({ code: 'folder_unusable' });
    } finally {
      await log.close();
    }
  });
});
