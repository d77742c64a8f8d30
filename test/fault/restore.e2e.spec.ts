import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { deploy, type Deployment } from '../kit/deployment.js';

const CLI = join(import.meta.dirname, '../../dist/apps/cli/src/main.js');
const UNIT = 'SU00518';
const ROUNDS = process.env['SIMPUL_TEST_CAMPAIGN'] ? 10 : 1;

let root: string;
let hub: Deployment;
let key: string;
let sample: Record<string, unknown>;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'simpul-restore-'));
  hub = await deploy();
  key = await hub.key(UNIT, 'sistem', ['publisher', 'reader']);
  const answer = await fetch(`${hub.url}/v1/event-types/layanan.kasus.status-berubah/sample`, {
    headers: { authorization: `Bearer ${hub.adminKey}` },
  });
  sample = (await answer.json()) as Record<string, unknown>;
});
afterEach(async () => {
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

const auth = () => ({ authorization: `Bearer ${key}` });
const caseNumber = (id: string): string => `PULIH-${id}`;

async function publish(id: string): Promise<{ readonly status: number; readonly position: string }> {
  const data = { ...(sample['data'] as object), nomorKasus: caseNumber(id), unitPemegang: UNIT };
  const ours = { unitasal: undefined, unitkode: undefined, subject: undefined };
  const answer = await fetch(`${hub.url}/v1/events`, {
    method: 'POST',
    headers: { ...auth(), 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ ...sample, ...ours, id, source: `urn:simpul:unit:${UNIT}:sistem`, data }),
  });
  const { position = '' } = (await answer.json()) as { position?: string };
  return { status: answer.status, position };
}

async function get(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const answer = await fetch(`${hub.url}${path}`, { headers: auth() });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** The id of the event at a position; undefined: there is none. */
async function idAt(position: string): Promise<unknown> {
  for (;;) {
    const { status, body } = await get(`/v1/events/${position}`);
    // not settled yet
    if (status !== 503) return status === 200 ? body['id'] : undefined;
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function eventually(what: string, ask: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (await ask()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`not within 60 s: ${what}`);
}
const settled = (ids: readonly string[]) =>
  eventually('every case is in the state', async () => {
    for (const id of ids)
      if ((await get(`/v1/state/layanan.kasus-papan/${caseNumber(id)}`)).status !== 200) return false;
    return true;
  });

/** Everything that was ever acknowledged is sent again: each answer names a place that holds that event, and the state has it, not stale. */
async function judge(ids: readonly string[], inLog: ReadonlySet<string>): Promise<void> {
  for (const id of ids) {
    const again = await publish(id);
    expect([id, again.status]).toEqual([id, inLog.has(id) ? 200 : 201]);
    expect([id, await idAt(again.position)]).toEqual([id, id]);
  }
  await settled(ids);
  await eventually('the entries are not stale', async () => {
    const { body } = await get(`/v1/state/layanan.kasus-papan/${caseNumber(ids.at(-1)!)}`);
    return body['stale'] !== true;
  });
  const shown = new Map<string, number>();
  let page = await get('/v1/streams/layanan.kasus/events?from=earliest&limit=1000');
  while ((page.body['events'] as unknown[]).length > 0) {
    for (const e of page.body['events'] as { id: string }[]) shown.set(e.id, (shown.get(e.id) ?? 0) + 1);
    page = await get(
      `/v1/streams/layanan.kasus/events?limit=1000&cursor=${encodeURIComponent(String(page.body['next']))}`,
    );
  }
  for (const id of ids) expect([id, shown.get(id)]).toEqual([id, 1]);
}

/** The acknowledged events that the log of the hub holds now. */
async function heldOf(positions: ReadonlyMap<string, string>): Promise<Set<string>> {
  const held = new Set<string>();
  for (const [id, position] of positions) if ((await idAt(position)) === id) held.add(id);
  return held;
}

describe('after a restore by hand no receipt names an event that the log does not hold, and no state is kept of one', () => {
  it.each(Array.from({ length: ROUNDS }, (_, n) => n))(
    'of an older log while the newer state is kept (round %i)',
    async (n) => {
      const positions = new Map<string, string>();
      const publishMany = async (name: string): Promise<void> => {
        for (let i = 0; i < 20; i++) positions.set(`${name}${i}`, (await publish(`${name}${i}`)).position);
      };
      await publishMany('a');
      await hub.stop();
      cpSync(hub.dir, join(root, 'old'), { recursive: true });
      await hub.start();
      await publishMany('b');
      await settled(['a0', 'b19']);
      await hub.stop(n % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      for (const name of readdirSync(hub.dir).filter((f) => f.startsWith('log.'))) rmSync(join(hub.dir, name));
      for (const name of ['log.sqlite', 'log.mark']) cpSync(join(root, 'old', name), join(hub.dir, name));
      await hub.start();
      const held = await heldOf(positions);
      expect([...held].sort()).toEqual(Array.from({ length: 20 }, (_, i) => `a${i}`).sort());
      // new events at offsets that were used before
      for (let i = 0; i < 5; i++) expect((await publish(`c${i}`)).status).toBe(201);
      await judge([...positions.keys(), 'c0', 'c4'], new Set([...held, 'c0', 'c4']));
    },
  );

  it.each(Array.from({ length: ROUNDS }, (_, n) => n))(
    'of an older state while the newer log is kept (round %i)',
    async () => {
      const ids = Array.from({ length: 40 }, (_, i) => `s${i}`);
      for (const id of ids.slice(0, 20)) await publish(id);
      await settled(ids.slice(0, 20));
      await hub.stop();
      cpSync(hub.dir, join(root, 'old'), { recursive: true });
      await hub.start();
      for (const id of ids.slice(20)) await publish(id);
      await settled(ids);
      await hub.stop();
      cpSync(join(root, 'old', 'state.sqlite'), join(hub.dir, 'state.sqlite'));
      await hub.start();
      await judge(ids, new Set(ids));
    },
  );

  it.each(Array.from({ length: ROUNDS }, (_, n) => n))(
    'of a folder that was copied file by file while the hub ran (round %i)',
    async () => {
      const positions = new Map<string, string>();
      let publishing = true;
      const load = (async () => {
        for (let i = 0; publishing; i++) {
          const { status, position } = await publish(`l${i}`);
          if (status === 201) positions.set(`l${i}`, position);
        }
      })();
      await eventually('some events', () => Promise.resolve(positions.size > 50));
      const copy = join(root, 'copy');
      cpSync(hub.dir, copy, { recursive: true });
      await eventually('more events', () => Promise.resolve(positions.size > 100));
      publishing = false;
      await load;
      await hub.stop();
      rmSync(hub.dir, { recursive: true });
      cpSync(copy, hub.dir, { recursive: true });
      // A copy whose files are not of one moment is refused; the operator decides to go on without what it lacks.
      await hub.start().catch((e: unknown) => {
        expect(String(e)).toContain('log_incomplete');
        execFileSync(process.execPath, [CLI, 'restore', '--accept-loss'], {
          env: { PATH: process.env['PATH'] ?? '', SIMPUL_DATA: hub.dir },
        });
        return hub.start();
      });
      const held = await heldOf(positions);
      await judge([...positions.keys()], held);
    },
  );
});
