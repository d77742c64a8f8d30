import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { deploy, type Deployment } from '../kit/deployment.js';

let root: string;
let hub: Deployment;
let key: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'simpul-e2e-backup-'));
  hub = await deploy();
  key = await hub.key('SU00518', 'sistem', ['publisher', 'reader']);
});
afterEach(async () => {
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

const cli = (...args: string[]) => {
  const run = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', resolve('dist/apps/cli/src/main.js'), ...args],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', LANG: 'en_US.UTF-8', SIMPUL_DATA: hub.dir },
      timeout: 60_000,
    },
  );
  return { code: run.status, out: run.stdout, err: run.stderr };
};
const bearer = () => ({ authorization: `Bearer ${key}` });

interface Published {
  readonly status: number;
  readonly position: string;
  readonly event: Record<string, unknown>;
}
async function publish(id: string, again?: Published): Promise<Published> {
  const event = again?.event ?? (await eventOf(id));
  const answer = await fetch(`${hub.url}/v1/events`, {
    method: 'POST',
    headers: { ...bearer(), 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(event),
  });
  const { position } = (await answer.json()) as { position: string };
  return { status: answer.status, position, event };
}
async function eventOf(id: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${hub.url}/v1/event-types/layanan.kasus.status-berubah/sample`, {
    headers: { authorization: `Bearer ${hub.adminKey}` },
  });
  const sample = (await answer.json()) as { data: object };
  const data = { ...sample.data, nomorKasus: `CAD-${id}`, unitPemegang: 'SU00518' };
  const ours = { unitasal: undefined, unitkode: undefined, subject: undefined };
  return { ...sample, ...ours, id, source: 'urn:simpul:unit:SU00518:sistem', data };
}
const caseOf = async (id: string): Promise<number> =>
  (await fetch(`${hub.url}/v1/state/layanan.kasus-papan/CAD-${id}`, { headers: bearer() })).status;
/** While a view is folded the answer is 503. */
async function answers(ask: () => Promise<number>, status: number): Promise<void> {
  let last = 0;
  for (let n = 0; n < 400; n++) {
    last = await ask();
    if (last === status) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${last}, not ${status}`);
}
const seen = (id: string): Promise<void> => answers(() => caseOf(id), 200);
const eventAt = async ({ position }: Published): Promise<number> =>
  (await fetch(`${hub.url}/v1/events/${position}`, { headers: bearer() })).status;

/** Everywhere, because SQLite leaves old copies of a row in unused places of its pages. */
function flipEach(bytes: Buffer, text: string): void {
  let at = bytes.indexOf(text);
  expect(at).toBeGreaterThan(0);
  for (; at >= 0; at = bytes.indexOf(text, at + 1)) bytes[at + 2]! ^= 1;
}

describe('simpul backup, restore and verify', () => {
  it('bring back what was there at the backup; what came later is in no log, has no receipt, and is recorded when it is sent again', async () => {
    const kept = await publish('satu');
    expect(kept.status).toBe(201);
    const target = join(root, 'cadangan');
    const made = cli('backup', target);
    expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^✔ \d+ records and the keys were copied to/)]);
    const lost = await publish('dua');
    expect(lost.status).toBe(201);
    await seen('dua');
    // a hub holds the folder
    const busy = cli('restore', target, '--replace');
    expect([busy.code, busy.err]).toEqual([
      1,
      expect.stringMatching(/^✗ The data folder is in use by another process: .*pid \d+/),
    ]);
    await hub.stop();
    const unasked = cli('restore', target);
    expect([unasked.code, unasked.err]).toEqual([1, expect.stringMatching(/^✗ The target is taken already: /)]);
    const done = cli('restore', target, '--replace');
    expect([done.code, done.out]).toEqual([0, expect.stringMatching(/^✔ \d+ records of \d{4}-.* were restored into/)]);
    await hub.start();
    await seen('satu');
    expect(await eventAt(kept)).toBe(200);
    expect([(await caseOf('dua')) >= 400, await eventAt(lost)]).toEqual([true, 404]);
    const again = await publish('dua', lost);
    expect(again.status).toBe(201);
    expect(again.position).not.toBe(lost.position);
    await seen('dua');
    expect([await eventAt(again), await eventAt(lost)]).toEqual([200, 404]);
    expect((await publish('satu', kept)).status).toBe(200);
    expect(cli('verify').code).toBe(0);
  });

  it('say what is wrong on one line, and verify ends with 1 and names every damaged place, also as JSON', async () => {
    for (let n = 0; n < 5; n++) await publish(`v${n}`);
    await hub.stop();
    const target = join(root, 'cadangan');
    expect(cli('backup', target).code).toBe(0);
    expect(cli('backup', target)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^✗ The target is taken already: /),
    });
    expect(cli('--data', join(root, 'none'), 'backup', join(root, 'b')).err).toMatch(
      /^✗ The folder cannot be used: .*none \(ENOENT\)/,
    );
    expect(cli('restore')).toMatchObject({ code: 2 });
    expect(cli('restore', target, '--accept-loss')).toMatchObject({ code: 2 });
    expect(cli('backup')).toMatchObject({ code: 2 });
    expect(cli('restore', root)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^✗ This is not a whole backup: .*backup\.json/),
    });
    const bare = join(root, 'tanpa-manifes');
    cpSync(target, bare, { recursive: true });
    rmSync(join(bare, 'backup.json'));
    expect(cli('verify', bare).err).toMatch(/^· .*: no backup\.json, so it was checked as a data folder/);
    const damaged = join(root, 'rusak');
    cpSync(hub.dir, damaged, { recursive: true });
    const bytes = readFileSync(join(damaged, 'log.sqlite'));
    flipEach(bytes, 'CAD-v3');
    writeFileSync(join(damaged, 'log.sqlite'), bytes);
    const found = cli('verify', damaged);
    expect(found).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^✗ damaged: layanan\.kasus\/\d+\/\d+\n[^]*✗ the log is not whole/),
    });
    const json = JSON.parse(cli('verify', damaged, '--json').out) as {
      whole: boolean;
      log: { partitions: { damaged: object[] }[] };
    };
    expect([json.whole, json.log.partitions.filter((p) => p.damaged.length > 0)]).toEqual([false, [expect.anything()]]);
    expect(cli('--lang', 'id', 'verify').err).toMatch(/✔ log utuh: \d+ rekaman/);
    await hub.start();
  });

  it('a damaged event is an alarm and is shown and folded nowhere, and every other event is read and published as before', async () => {
    const all: Published[] = [];
    for (let n = 0; n < 6; n++) all.push(await publish(`v${n}`));
    await seen('v5');
    await hub.stop();
    const file = join(hub.dir, 'log.sqlite');
    const bytes = readFileSync(file);
    flipEach(bytes, 'CAD-v3');
    writeFileSync(file, bytes);
    rmSync(join(hub.dir, 'state.sqlite'));
    await hub.start();
    for (const id of ['v0', 'v1', 'v2', 'v4', 'v5']) await seen(id);
    await answers(() => caseOf('v3'), 404);
    const shown = await Promise.all(all.map(eventAt));
    expect(shown.map((status) => status === 200)).toEqual([true, true, true, false, true, true]);
    const page = (await (
      await fetch(`${hub.url}/v1/streams/layanan.kasus/events?from=earliest`, { headers: bearer() })
    ).json()) as {
      events: { id: string }[];
    };
    expect(page.events.map((e) => e.id).sort()).toEqual(['v0', 'v1', 'v2', 'v4', 'v5']);
    const metrics = await (
      await fetch(`${hub.url}/metrics`, { headers: { authorization: `Bearer ${hub.adminKey}` } })
    ).text();
    expect(metrics).toMatch(/simpul_alarms_total\{[^}]*code="log_damaged"[^}]*\} 1\b/);
    // the index has not seen it: sent again, it is recorded anew
    const again = await publish('v3', all[3]);
    expect([again.status, await eventAt(again)]).toEqual([201, 200]);
    await seen('v3');
  });

  it('events that an earlier version wrote without checksums are not called whole until the hub has added them; a damaged one is an alarm although nobody reads it', async () => {
    const all: Published[] = [];
    for (let n = 0; n < 3; n++) all.push(await publish(`v${n}`));
    await hub.stop();
    const file = join(hub.dir, 'log.sqlite');
    const inFile = <T>(work: (db: DatabaseSync) => T): T => {
      const db = new DatabaseSync(file);
      try {
        return work(db);
      } finally {
        db.close();
      }
    };
    const ofStream = 'id >> 40 IN (SELECT part FROM partitions WHERE topic = (SELECT no FROM topics WHERE name = ?))';
    const bare = (db: DatabaseSync): unknown =>
      db.prepare(`SELECT count(*) n FROM batches WHERE crc IS NULL AND ${ofStream}`).get('layanan.kasus')!['n'];
    const change = (id: string, place: (data: Buffer) => number, to: string): void =>
      inFile((db) => {
        const row = db
          .prepare(`SELECT id, data FROM batches WHERE instr(data, CAST('CAD-${id}' AS BLOB)) > 0 AND ${ofStream}`)
          .get('layanan.kasus')!;
        const data = Buffer.from(row['data'] as Uint8Array);
        data.write(to, place(data));
        db.prepare('UPDATE batches SET data = ? WHERE id = ?').run(data, row['id']!);
      });
    // as the migration of an earlier version left it
    inFile((db) => {
      db.prepare(`UPDATE batches SET crc = NULL WHERE ${ofStream}`).run('layanan.kasus');
      db.exec("DELETE FROM counters WHERE name LIKE 'unsealed%'");
    });
    const unsure = /3 records were written before there were checksums: .*\n· nothing is damaged, but 3 of \d+ records/;
    expect(cli('verify')).toMatchObject({ code: 5, err: expect.stringMatching(unsure) });
    const target = join(root, 'lama');
    expect(cli('backup', target)).toMatchObject({
      code: 0,
      err: expect.stringMatching(/other headers are not checked/),
    });
    expect(cli('verify', target)).toMatchObject({ code: 5, err: expect.stringMatching(unsure) });
    change('v1', (data) => data.indexOf('CAD-v1'), 'CAD-x1');
    expect(cli('verify')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^✗ damaged: layanan\.kasus\/\d+\/\d+\n/),
    });
    await hub.start();
    await answers(async () => inFile(bare) as number, 1);
    const alarms = async (): Promise<number> => {
      const headers = { authorization: `Bearer ${hub.adminKey}` };
      const text = await (await fetch(`${hub.url}/metrics`, { headers })).text();
      return Number(/simpul_alarms_total\{[^}]*code="log_damaged"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    await answers(alarms, 1);
    expect(await Promise.all(all.map(eventAt))).toEqual([200, 500, 200]);
    await hub.stop();
    // a header that no digest covers
    change('v2', (data) => data.lastIndexOf('SU00518'), 'SU00519');
    await hub.start();
    expect(await Promise.all(all.map(eventAt))).toEqual([200, 500, 500]);
    expect(await alarms()).toBeGreaterThan(1);
  });

  it('a damaged row of a control topic refuses the start with one line that names its place', async () => {
    await hub.stop();
    const file = join(hub.dir, 'log.sqlite');
    const bytes = readFileSync(file);
    flipEach(bytes, '"SU00518"');
    writeFileSync(file, bytes);
    await expect(hub.start()).rejects.toThrow(/log_damaged: _simpul\.\w+\/0\/\d+/);
  });

  it('a log whose WAL is damaged refuses the start in the same way; restore --accept-loss keeps the WAL, and gives no offset again', async () => {
    await publish('nol');
    await hub.stop();
    await hub.start();
    const before = await publish('satu');
    await hub.stop('SIGKILL');
    const wal = join(hub.dir, 'log.sqlite-wal');
    const bytes = readFileSync(wal);
    writeFileSync(wal, bytes.fill(0, 0, 40));
    await expect(hub.start()).rejects.toThrow(
      /log_incomplete: .*log\.sqlite-wal rusak, .* hanya ada \d+ dari \d+ rekaman/,
    );
    expect(cli('restore', '--accept-loss').code).toBe(0);
    expect(readFileSync(`${wal}.set-aside-1`).equals(bytes)).toBe(true);
    await hub.start();
    expect(await eventAt(before)).toBe(404);
    const again = await publish('satu', before);
    expect(again.status).toBe(201);
    expect(Number(again.position.split('/')[2])).toBeGreaterThan(1_000_000);
  });

  it('a folder whose log is gone while state and keys are there refuses the start: it is not taken for a new one', async () => {
    await hub.stop();
    for (const name of ['log.sqlite', 'log.mark']) rmSync(join(hub.dir, name));
    await expect(hub.start()).rejects.toThrow(/log_incomplete: .*berkas ini tidak ada atau kosong/);
    expect(existsSync(join(hub.dir, 'log.sqlite'))).toBe(false);
  });

  it('a log that lacks its WAL refuses the start with one line, and restore --accept-loss makes it start', async () => {
    await publish('satu');
    await hub.stop('SIGKILL');
    await hub.start();
    await publish('dua');
    await hub.stop('SIGKILL');
    expect(existsSync(join(hub.dir, 'log.sqlite-wal'))).toBe(true);
    rmSync(join(hub.dir, 'log.sqlite-wal'));
    await expect(hub.start()).rejects.toThrow(
      /log_incomplete: .*log\.sqlite-wal tidak ada, dan tanpa itu hanya ada \d+ dari \d+ rekaman/,
    );
    expect(cli('verify')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/records that were acknowledged are not in the log/),
    });
    expect(cli('restore', '--accept-loss')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/is accepted as it is/),
    });
    await hub.start();
    expect((await publish('tiga')).status).toBe(201);
    await seen('tiga');
    expect(readdirSync(hub.dir)).toContain('log.mark');
  });
});
