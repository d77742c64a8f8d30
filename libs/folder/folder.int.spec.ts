import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isFault } from '#faults';
import { openDataFolder } from './folder.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-folder-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const faultOf = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (e) {
    return isFault(e) ? `${e.code} ${e.detail ?? ''}` : 'not a fault';
  }
};

const OWNER = `import { DatabaseSync } from 'node:sqlite';
import { writeFileSync } from 'node:fs';
const db = new DatabaseSync(process.argv[1] + '/owner.lock');
db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
writeFileSync(process.argv[1] + '/owner.pid', String(process.pid));
console.log('held'); setInterval(() => {}, 1000);`;

describe('the data folder', () => {
  it('has one owner; the second is told the pid of the first, and takes over when the first was killed', async () => {
    const first = spawn(process.execPath, ['--input-type=module', '-e', OWNER, dir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(first.stdout, 'data');
    expect(faultOf(() => openDataFolder(dir, 'embedded'))).toContain(`data_locked ${dir}, pid ${first.pid}`);
    first.kill('SIGKILL');
    await once(first, 'exit');
    openDataFolder(dir, 'embedded').release();
  });

  it('refuses a folder of another engine or format, and says which', () => {
    openDataFolder(dir, 'embedded').release();
    expect(faultOf(() => openDataFolder(dir, 'kafka'))).toContain('data_format');
    writeFileSync(join(dir, 'format.json'), '{"format":2,"engine":"embedded"}');
    expect(faultOf(() => openDataFolder(dir, 'embedded'))).toContain('format 2');
  });

  it.each(['', '{"format":1,', '[]', '7', 'null'])(
    'with a broken format file (%j) is refused as one of unknown format, and its file is named',
    (text) => {
      writeFileSync(join(dir, 'format.json'), text);
      expect(faultOf(() => openDataFolder(dir, 'embedded'))).toMatch(
        /^data_format .*format\.json: format \? of engine \?/,
      );
    },
  );

  it('has its format written whole or not at all', () => {
    writeFileSync(join(dir, 'format.json.new'), '{"for');
    openDataFolder(dir, 'embedded').release();
    openDataFolder(dir, 'embedded').release();
    expect(readdirSync(dir)).not.toContain('format.json.new');
  });

  it('says so when it cannot be written', () => {
    const file = join(dir, 'file');
    writeFileSync(file, '');
    expect(faultOf(() => openDataFolder(join(file, 'below'), 'embedded'))).toContain('invalid_settings');
    expect(faultOf(() => openDataFolder('/proc/simpul/data', 'embedded'))).toContain('invalid_settings');
  });
});
