import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openEmbeddedLog } from '#log-embedded';
import { killsAt, runKilled } from '../../test/kit/kills/killed.js';
import { BackupStage, many, numbered, rec, topic, values } from './backup-stage.fixture.js';
import { acceptLoss, makeBackup, restoreBackup, verifyFolder } from './index.js';

/** Kills of a task: a spread of its steps. */
const CAMPAIGN = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const KILLS = CAMPAIGN ? 24 : 8;
const LIMIT_MS = CAMPAIGN ? 3_600_000 : 300_000;

let stage: BackupStage;
let root: string;
let dir: string;
let target: string;
beforeEach(() => {
  stage = new BackupStage();
  ({ root, dir, target } = stage);
});
afterEach(() => stage.end());

describe('kill -9 (SIGKILL)', () => {
  /** A task of this room, as the code of a process of its own. */
  const task = (name: string, options: object): string =>
    `import * as backup from '#backup'; arm(); await backup.${name}(${JSON.stringify(options)});`;

  it(
    'of a backup, at any moment, never leaves a target that is not whole, and the next backup removes the rest',
    async () => {
      await stage.close(await stage.dataFolder(2_000));
      const at = (n: number): string => join(root, `b${n}`);
      const { steps } = await runKilled(task('makeBackup', { dataDir: dir, target: at(0) }));
      const left = new Set<string>();
      for (const [n, kill] of killsAt(steps, KILLS).entries()) {
        const to = at(n + 1);
        await runKilled(task('makeBackup', { dataDir: dir, target: to }), kill);
        left.add(existsSync(to) ? 'whole' : 'none');
        if (existsSync(to)) expect([kill, (await verifyFolder(to)).whole]).toEqual([kill, true]);
        else {
          await makeBackup({ dataDir: dir, target: to });
          expect(readdirSync(root).filter((name) => name.startsWith(`b${n + 1}.`))).toEqual([]);
        }
        rmSync(to, { recursive: true });
      }
      expect([...left].sort()).toEqual(['none', 'whole']);
    },
    LIMIT_MS,
  );

  it(
    'of a restore, at any moment, leaves the old log, the new one, or a folder that no hub starts on until it is run again',
    async () => {
      await stage.close(await stage.dataFolder(2_000));
      await makeBackup({ dataDir: dir, target });
      const bigger = await stage.openLog();
      await bigger.append(topic, 0, many(2_000, 100));
      await stage.close(bigger);
      const before = join(root, 'before');
      cpSync(dir, before, { recursive: true });
      const restore = task('restoreBackup', { backup: target, dataDir: dir, replace: true });
      const { steps } = await runKilled(restore);
      const seen = new Set<string>();
      for (const kill of killsAt(steps, KILLS)) {
        rmSync(dir, { recursive: true });
        cpSync(before, dir, { recursive: true });
        await runKilled(restore, kill);
        const log = await openEmbeddedLog({ dir }).catch((e: { code: string; detail: string }) => e);
        if ('code' in log) {
          expect([kill, log]).toMatchObject([
            kill,
            { code: 'log_incomplete', detail: expect.stringMatching(/restore/) },
          ]);
          seen.add('refused');
          // also without --replace: what lies there is the rest of this restore
          await restoreBackup({ backup: target, dataDir: dir, replace: false });
          const again = await openEmbeddedLog({ dir });
          expect(await values(again)).toHaveLength(2_000);
          await again.close();
        } else {
          const held = await values(log);
          expect([kill, [2_000, 2_100]]).toEqual([kill, expect.arrayContaining([held.length])]);
          seen.add(String(held.length));
          await log.close();
        }
      }
      expect([...seen].sort()).toEqual(['2000', '2100', 'refused']);
    },
    LIMIT_MS,
  );

  it(
    'of accepting a loss, at any moment, leaves a log that still refuses to start, or one with what was left',
    async () => {
      await stage.close(await stage.dataFolder(50));
      cpSync(join(dir, 'log.sqlite'), join(root, 'old.sqlite'));
      const log = await stage.openLog();
      await log.append(topic, 0, many(50, 50));
      await stage.close(log);
      cpSync(join(root, 'old.sqlite'), join(dir, 'log.sqlite'));
      const before = join(root, 'before');
      cpSync(dir, before, { recursive: true });
      const accept = `import { acceptLoss } from '#backup'; arm(); await acceptLoss(${JSON.stringify(dir)});`;
      const { steps } = await runKilled(accept);
      const seen = new Set<string>();
      for (const kill of killsAt(steps, KILLS)) {
        rmSync(dir, { recursive: true });
        cpSync(before, dir, { recursive: true });
        await runKilled(accept, kill);
        const refused = await openEmbeddedLog({ dir }).catch((e: { code: string }) => e.code);
        seen.add(typeof refused === 'string' ? refused : 'opened');
        if (typeof refused !== 'string') await refused.close();
        else await acceptLoss(dir);
        const again = await openEmbeddedLog({ dir });
        expect([kill, await values(again)]).toEqual([kill, numbered(50)]);
        const next = await again.append(topic, 0, [rec('new')]);
        expect(next.kind === 'accepted' && next.base > 100n).toBe(true);
        await again.close();
      }
      expect([...seen].sort()).toEqual(['log_incomplete', 'opened']);
    },
    LIMIT_MS,
  );
});
