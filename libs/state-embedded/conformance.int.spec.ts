import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describeState } from '#state/conformance';
import { openEmbeddedState } from './index.js';

describeState('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-state-'));
  let now = Date.now();
  const open = () => openEmbeddedState({ dir, now: () => now });
  let state = await open();
  return {
    get state() {
      return state;
    },
    advance: (ms) => (now += ms),
    empty: async () => {
      const db = new DatabaseSync(join(dir, 'state.sqlite'));
      db.exec('PRAGMA busy_timeout=5000; BEGIN IMMEDIATE');
      for (const table of ['parts', 'progress', 'entries', 'feed', 'deletes', 'firsts'])
        db.exec(`DELETE FROM ${table}`);
      db.exec('COMMIT');
      db.close();
    },
    reopen: async () => {
      await state.close();
      state = await open();
    },
    close: async () => {
      await state.close();
      rmSync(dir, { recursive: true });
    },
  };
});
