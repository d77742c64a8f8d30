import { claimPartitions, OWNERS_TOPIC, type EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SubscriptionDesk } from './desk-port.js';
import { desksBy, openOwners, type OwnersTable } from './owners.js';

const GROUP = 'simpul.couriers';
let dir: string;
let log: EventLog;
let owners: OwnersTable;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-owners-'));
  log = await openEmbeddedLog({ dir });
  owners = await openOwners({ log, group: GROUP });
});
afterEach(async () => {
  await owners.close();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const claim = (address: string, partitions: readonly number[], more: { group?: string; above?: bigint } = {}) =>
  claimPartitions({ log, group: GROUP, partitions, address, now: Date.now, wanted: () => true, ...more });

describe('the owners of the partitions of couriers', () => {
  it('are those of the last claims, with their epochs, also for a table that is opened later', async () => {
    await claim('http://127.0.0.1:1', [0, 1, 2]);
    const epochs = (await claim('http://127.0.0.1:2/', [1]))!;
    await owners.refresh();
    const later = await openOwners({ log, group: GROUP });
    for (const table of [owners, later]) {
      expect([0, 1, 2, 3].map((p) => table.of(p)?.address)).toEqual([
        ...['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:1'],
        undefined,
      ]);
      expect(table.of(1)!.epoch).toBe(epochs.get(1));
    }
    await later.close();
  });

  it('are not changed by claims of other groups, records that fill the log up to an epoch, or records that are no claim', async () => {
    await claim('http://127.0.0.1:1', [0]);
    await claim('http://127.0.0.1:2', [0], { group: 'simpul.projectors' });
    await claim('http://127.0.0.1:2', [0], { group: `${GROUP}.lain` });
    await claim('http://127.0.0.1:3', [1], { above: 40n });
    const value = Buffer.from('{');
    await log.append(OWNERS_TOPIC, 0, [{ key: Buffer.from(`${GROUP}/0`), value, headers: [] }]);
    await owners.refresh();
    expect([owners.of(0)?.address, owners.of(1)?.address]).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:3']);
    expect(owners.of(1)!.epoch).toBeGreaterThan(40n);
  });

  it('have no address where the claim names none that a request may be sent to', async () => {
    for (const address of ['', 'simpul', 'file:///etc/passwd', 'http://a:b@127.0.0.1', 'ftp://127.0.0.1']) {
      await claim(address, [0]);
      await owners.refresh();
      expect([address, owners.of(0)?.address]).toEqual([address, undefined]);
      expect(desksBy(owners, 'http://127.0.0.1:9', () => undefined).of(0)).toEqual({ kind: 'nobody' });
    }
  });

  it('say where a desk is: here, at another address, or nowhere, also while this process has claimed and not opened it', async () => {
    await claim('http://127.0.0.1:1', [0, 1]);
    await claim('http://127.0.0.1:2', [2]);
    await owners.refresh();
    const desk = {} as SubscriptionDesk;
    const desks = desksBy(owners, 'http://127.0.0.1:1', (p) => (p === 0 ? desk : undefined));
    expect([0, 1, 2, 3].map((p) => desks.of(p))).toEqual([
      { kind: 'here', desk },
      { kind: 'nobody' },
      { kind: 'there', address: 'http://127.0.0.1:2' },
      { kind: 'nobody' },
    ]);
  });
});
