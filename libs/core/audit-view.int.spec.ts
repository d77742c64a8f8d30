import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { AUDIT_TOPIC, readAudit } from '#access';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { requestRebuild, type CompiledView } from '#projection';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RowsInMemory } from '../../test/kit/projection/stage.js';
import { auditView } from './audit-view.js';

let dir: string;
let log: EventLog;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-audit-'));
  log = await openEmbeddedLog({ dir });
  await log.ensureTopic({ name: AUDIT_TOPIC, partitions: 1, cleanup: 'keep' });
});
afterEach(async () => {
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const view = { name: 'uji.pandangan', fingerprint: 'f', streams: [] as readonly string[] } as CompiledView;
const admin = { keyId: 'k1', owner: 'SU00001', system: 'ops', roles: new Set(['admin'] as const) };
const audit = (own: Pick<EventLog, 'append'>) => auditView({ log: own as EventLog, now: Date.now });

it('a rebuild of a view has an audit record with the asking key before the change, and a second one with the result after it', async () => {
  const generations = new RowsInMemory();
  const rows: unknown[] = [];
  const watched: Pick<EventLog, 'append'> = {
    append: (...a) => (rows.push(generations.row(view.name)), log.append(...a)),
  };
  const after = await requestRebuild({ generations, log, audit: audit(watched) }, view, admin);
  expect(rows).toEqual([undefined, after]);
  const { records } = await readAudit(log, 0n, 10);
  const who = { keyId: 'k1', owner: 'SU00001', system: 'ops' };
  const same = { what: 'view.rebuild', target: view.name, who };
  expect(records).toMatchObject([
    { ...same, phase: 'intent', after },
    { ...same, phase: 'done', after },
  ]);
});

it('a rebuild of a view is not done when its audit record cannot be written', async () => {
  const generations = new RowsInMemory();
  const full: Pick<EventLog, 'append'> = { append: () => Promise.resolve({ kind: 'refused', code: 'disk_full' }) };
  const asked = requestRebuild({ generations, log, audit: audit(full) }, view, admin);
  await expect(asked).rejects.toMatchObject({ code: 'not_durable' });
  expect(generations.row(view.name)).toBeUndefined();
});
