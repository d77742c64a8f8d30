import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { CASE_STREAM, CASE_VIEW, caseEvent, caseNumber, SYSTEM, UNIT } from '../bench/case-event.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { until } from '../kit/projection/stage.js';

/** Views come back from their snapshots, seen through the doors of a whole process. */

const ROUNDS = process.env['SIMPUL_TEST_CAMPAIGN'] === '1' ? 10 : 1;
const BURST = 60;

let hub: Deployment | undefined;
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

async function ask(key: string, path: string, init: RequestInit = {}): Promise<{ status: number; body: never }> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents+json' };
  const r = await fetch(hub!.url + path, { ...init, headers: { ...headers, ...init.headers } });
  return { status: r.status, body: (await r.json()) as never };
}

interface ReadyView {
  readonly view: string;
  readonly snapshot: string;
  readonly upTo: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

async function readyView(): Promise<ReadyView | undefined> {
  const { body } = await ask(hub!.adminKey, '/health/ready');
  return (body as { views?: ReadyView[] }).views?.find((v) => v.view === CASE_VIEW);
}

/** Events of the snapshot of the view, as far as it goes. */
async function covered(): Promise<number> {
  const row = await readyView();
  if (row?.snapshot !== 'complete') return 0;
  return Object.values(row.upTo[CASE_STREAM] ?? {}).reduce((n, next) => n + Number(next), 0);
}

async function filledEntries(): Promise<number> {
  const r = await fetch(`${hub!.url}/metrics`, { headers: { authorization: `Bearer ${hub!.adminKey}` } });
  const line = new RegExp(`^simpul_snapshot_filled_total\\{[^}]*view="${CASE_VIEW}"[^}]*\\} (\\d+)`, 'm');
  return Number(line.exec(await r.text())?.[1] ?? 0);
}

/** Lets the stream delete after 8 days, which is refused until each view of the stream has its snapshot again. */
async function retentionOnceComplete(): Promise<{ readonly views: readonly string[] }> {
  for (;;) {
    const { status, body } = await ask(hub!.adminKey, `/v1/streams/${CASE_STREAM}/retention`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ days: 8 }),
    });
    if (status === 200) return body;
    expect([status, (body as { code: string }).code]).toEqual([409, 'snapshot_incomplete']);
    await pause(50);
  }
}

it('kill -9 within a burst, and the state file is gone: views come back from their snapshots, every acknowledged event has its entry', async () => {
  hub = await deploy({ SIMPUL_SNAPSHOTS: 'all' });
  const key = await hub.key(UNIT, SYSTEM, ['publisher', 'reader']);
  const acknowledged = new Map<string, string>();
  const burst = async (run: string, from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n++) {
      const sent = await ask(key, '/v1/events', { method: 'POST', body: caseEvent(run, n) }).catch(() => undefined);
      if (sent === undefined) return;
      if (sent.status === 200 || sent.status === 201)
        acknowledged.set(caseNumber(run, n), (sent.body as { position: string }).position);
    }
  };
  for (let round = 1; round <= ROUNDS; round++) {
    await burst(`r${round}`, 0, BURST);
    await until(async () => (await covered()) >= acknowledged.size);
    const safe = acknowledged.size;
    const during = burst(`r${round}`, BURST, 10 * BURST);
    await until(() => acknowledged.size > safe + 5 * round);
    await hub.stop('SIGKILL');
    await during;
    for (const file of readdirSync(hub.dir)) if (file.startsWith('state.sqlite')) rmSync(join(hub.dir, file));
    await hub.start();
    for (const [entry, position] of acknowledged) {
      const seen = new Set<number>();
      await until(async () => {
        const r = await ask(key, `/v1/state/${CASE_VIEW}/${entry}?after=${encodeURIComponent(position)}`);
        seen.add(r.status);
        return r.status === 200 && (r.body as { position: string }).position === position;
      });
      expect([entry, seen.has(404)]).toEqual([entry, false]);
    }
    await until(async () => (await filledEntries()) >= safe);
  }
  const put = await retentionOnceComplete();
  expect(put.views).toEqual(expect.arrayContaining([CASE_VIEW]));
  const units = await ask(hub.adminKey, '/v1/streams/org.unit/retention', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ days: 8 }),
  });
  expect([units.status, (units.body as { code: string }).code]).toEqual([409, 'snapshot_incomplete']);
}, 300_000);
