import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isFault } from '#faults';
import { addressOf, noteAddress, openDataFolder } from './folder.js';

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
  it('has one owner: a second process gets data_locked with the pid of the first, and can open the folder once the first was killed', async () => {
    const first = spawn(process.execPath, ['--input-type=module', '-e', OWNER, dir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(first.stdout, 'data');
    expect(faultOf(() => openDataFolder(dir, 'embedded'))).toContain(`data_locked ${dir}, pid ${first.pid}`);
    first.kill('SIGKILL');
    await once(first, 'exit');
    openDataFolder(dir, 'embedded').release();
  });

  it('tells the address of its owner while the process of that runs, and not that of a former one', async () => {
    expect(addressOf(dir)).toBeUndefined();
    const folder = openDataFolder(dir, 'embedded');
    expect(addressOf(dir)).toBeUndefined();
    noteAddress(dir, 'http://127.0.0.1:4711');
    expect(addressOf(dir)).toBe('http://127.0.0.1:4711');
    folder.release();
    const ended = spawn(process.execPath, ['-e', '']);
    await once(ended, 'exit');
    writeFileSync(join(dir, 'owner.pid'), String(ended.pid));
    expect(addressOf(dir)).toBeUndefined();
    openDataFolder(dir, 'embedded').release();
    expect(addressOf(dir)).toBeUndefined();
  });

  it('is refused with data_format when it belongs to another engine or format, and both are named', () => {
    openDataFolder(dir, 'embedded').release();
    expect(faultOf(() => openDataFolder(dir, 'kafka'))).toContain('data_format');
    writeFileSync(join(dir, 'format.json'), '{"format":2,"engine":"embedded"}');
    expect(faultOf(() => openDataFolder(dir, 'embedded'))).toContain('format 2');
  });

  it.each(['', '{"format":1,', '[]', '7', 'null'])(
    'with a broken format file (%j) is refused with data_format, and the file is named',
    (text) => {
      writeFileSync(join(dir, 'format.json'), text);
      expect(faultOf(() => openDataFolder(dir, 'embedded'))).toMatch(
        /^data_format .*format\.json: format \? of engine \?/,
      );
    },
  );

  it('gets its format file by an atomic rename, also when a temporary file of a crash is left', () => {
    writeFileSync(join(dir, 'format.json.new'), '{"for');
    openDataFolder(dir, 'embedded').release();
    openDataFolder(dir, 'embedded').release();
    expect(readdirSync(dir)).not.toContain('format.json.new');
  });

  it('that cannot be written is refused with invalid_settings', () => {
    const file = join(dir, 'file');
    writeFileSync(file, '');
    expect(faultOf(() => openDataFolder(join(file, 'below'), 'embedded'))).toContain('invalid_settings');
    expect(faultOf(() => openDataFolder('/proc/simpul/data', 'embedded'))).toContain('invalid_settings');
  });
});
