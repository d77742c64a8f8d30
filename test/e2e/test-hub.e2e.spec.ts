import { readFileSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPublisher, createReader, defineEvent, type EventToken } from '#sdk';
import { startTestHub, type TestHub } from '#testing';
import { occupancy } from '../kit/occupancy.js';

const UNIT = 'SU00518';
const root = join(import.meta.dirname, '../..');
const HUNIAN: EventToken<Record<string, unknown>> = defineEvent({
  type: 'pas.hunian.dilaporkan',
  stream: 'pas.hunian',
  version: 1,
  schema: readFileSync(join(root, 'schemas/pas/hunian/dilaporkan.v1.avsc'), 'utf8'),
});
const report = (day: number, detainees: number): Record<string, unknown> =>
  occupancy(UNIT, `2021-07-${day}`, detainees, `2021-07-${day}T03:00:00.000Z`);

describe('a hub for tests', () => {
  let hub: TestHub;
  beforeAll(async () => {
    hub = await startTestHub();
  });
  afterAll(() => hub.stop());

  it('has what other units have published before, at once in streams and in views', async () => {
    const receipts = await hub.given([
      { unit: UNIT, token: HUNIAN, data: report(15, 7) },
      { unit: UNIT, type: HUNIAN.type, data: report(16, 8) },
    ]);
    expect(receipts.map((r) => r.stream)).toEqual(['pas.hunian', 'pas.hunian']);
    const reader = createReader({ url: hub.url, key: await hub.key(UNIT, ['reader']) });
    expect((await reader.state('pas.hunian-nasional', '2021-07-15'))?.value).toMatchObject({ jumlahTahanan: 7 });
  });

  it('gives what the code under test has published, typed by the token', async () => {
    const publisher = createPublisher({
      url: hub.url,
      key: await hub.key(UNIT, ['publisher'], 'sdp'),
      owner: UNIT,
      system: 'sdp',
    });
    const { id } = await publisher.publish({ type: HUNIAN.type, data: report(17, 9) });
    await publisher.close();
    const events = await hub.published(HUNIAN);
    expect(events.find((e) => e.id === id)?.data['jumlahTahanan']).toBe(9);
    expect(await hub.published('imigrasi.paspor.diterbitkan')).toEqual([]);
  });

  it('refuses what the hub refuses: an event that does not fit is the fault of given(), with its pointer', async () => {
    const wrong = hub.given([{ unit: UNIT, type: HUNIAN.type, data: { ...report(18, 1), kapasitas: 'banyak' } }]);
    await expect(wrong).rejects.toMatchObject({
      name: 'SdkFault',
      problem: { errors: [{ pointer: '/data/kapasitas' }] },
    });
    const foreign = hub.given([{ unit: 'SU00300', type: HUNIAN.type, data: report(18, 1) }]);
    await expect(foreign).rejects.toMatchObject({ code: 'unit_not_yours' });
  });

  it('gives the same key for the same words', async () => {
    expect(await hub.key(UNIT, ['reader'])).toBe(await hub.key(UNIT, ['reader']));
    expect(await hub.key(UNIT, ['reader'])).not.toBe(await hub.key(UNIT, ['publisher']));
  });
});

describe('a hub for tests with a contract of the unit', () => {
  it('takes events of that contract', async () => {
    const schema = HUNIAN.schema.replaceAll('pas.hunian', 'uji.hunian');
    const token = defineEvent<Record<string, unknown>>({
      type: 'uji.hunian.dilaporkan',
      stream: 'uji.hunian',
      version: 1,
      schema,
    });
    await using hub = await startTestHub({ types: [token] });
    await hub.given([{ unit: UNIT, token, data: report(15, 3) }]);
    expect((await hub.published(token)).map((e) => e.data['jumlahTahanan'])).toEqual([3]);
  });

  it('that is not complete does not start, and says why in one line', async () => {
    const wrong = startTestHub({ types: ['{"type":"record","name":"X","fields":[]}'] });
    await expect(wrong).rejects.toThrow(/^test_hub_failed: [^\n]*invalid_schema/);
  });
});

describe('the process of a hub for tests', () => {
  it('ends with a test run that ends without stop(), and its folder is removed', () => {
    const code = `
      import { startTestHub } from '#testing';
      const hub = await startTestHub();
      process.stdout.write(hub.url);`;
    const before = new Set(readdirSync(tmpdir()));
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', code], { cwd: root, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(readdirSync(tmpdir()).filter((f) => f.startsWith('simpul-test-hub-') && !before.has(f))).toEqual([]);
  });

  it('needs the package simpul: without it there is one line that says what to install', () => {
    // In a process of its own, because Jest resolves the name of this repository from everywhere.
    const code = `
      import { findHub } from '${pathToFileURL(join(root, 'dist/libs/testing/hub-process.js')).href}';
      try { findHub(['/nonexistent/_']); } catch (e) { process.stdout.write(e.message); }`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', code], { cwd: tmpdir(), encoding: 'utf8' });
    expect(run.stdout).toMatch(/^test_hub_missing: [^\n]*npm install --save-dev simpul$/);
  });
});
