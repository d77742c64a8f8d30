import { afterEach, describe, expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { partitionOfSubscription, subscriptionId } from '#subscriptions';
import { BY, DeskStage, spec } from './desk.fixture.js';
import { Hosts } from './hosts.js';
import { LaneWriter } from './lane-writer.js';
import { writeAll } from './takeover.js';
import type { PartitionDesk } from './partition-desk.js';

const ID = subscriptionId(BY.owner, 'satu');
const P = partitionOfSubscription(ID);

describe('a new owner', () => {
  let desk: PartitionDesk | undefined;
  let stage: DeskStage | undefined;
  afterEach(async () => {
    await desk?.close('lost');
    await stage?.subscriptions.close();
  });

  it('takes over no row that an owner before the last one has written late', async () => {
    stage = await DeskStage.open();
    for (const epoch of [1n, 2n]) {
      desk = await stage.opened(epoch, P);
      if (epoch === 1n) await desk.create(spec('satu'), BY);
      await desk.close('lost');
    }
    const row = { epoch: '1', kind: 'held', position: '_simpul.test/0/0', lane: '_simpul.test\na', subject: 'a' };
    const record = { value: Buffer.from(JSON.stringify(row)), headers: [] };
    stage.topics.put('_simpul.lanes', P, [{ key: Buffer.from(`${ID}/h/${row.position}`), ...record }]);
    desk = await stage.opened(3n, P);
    expect(await desk.standing(ID)).toMatchObject({ held: 0, parked: 0 });
    expect(stage.sent).toEqual([]);
  });
});

describe('rows of lanes', () => {
  it('of a takeover that are together too large for an append are written in smaller ones', async () => {
    const written: number[] = [];
    const rows = Array.from({ length: 450 }, (_, n) => [String(n), { n }] as const);
    const table = {
      write: (changes: readonly { readonly key: string }[]) => {
        if (changes.length > 30) return Promise.reject(new Fault('record_too_large'));
        written.push(...changes.map(({ key }) => Number(key)));
        return Promise.resolve();
      },
    };
    await writeAll(table, rows, 1n);
    expect(written).toEqual(rows.map((_, n) => n));
    const none = { write: () => Promise.reject(new Fault('record_too_large')) };
    await expect(writeAll(none, rows, 1n)).rejects.toMatchObject({ code: 'record_too_large' });
  });

  it('that are together too large for an append are written in smaller ones, in order', async () => {
    const written: string[] = [];
    const writer = new LaneWriter({
      lanes: {
        write: (changes) => {
          if (changes.length > 2) return Promise.reject(new Fault('record_too_large'));
          written.push(...changes.map(({ key }) => key));
          return Promise.resolve();
        },
      },
      attempts: { flush: () => Promise.resolve() },
      epoch: 1n,
      signal: new AbortController().signal,
      fenced: () => undefined,
    });
    const keys = ['a', 'b', 'c', 'd', 'e'];
    expect(await writer.write(keys.map((key) => ({ key, row: undefined })))).toBe(true);
    expect(written).toEqual(keys);
  });
});

describe('a host', () => {
  it('with many waiting that need no slot any more calls all of them', () => {
    const hosts = new Hosts(1);
    let called = 0;
    hosts.take('h', () => undefined);
    for (let n = 0; n < 20_000; n++)
      hosts.take('h', () => {
        called++;
        if (hosts.take('h', () => undefined)) hosts.release('h');
      });
    hosts.release('h');
    expect(called).toBe(20_000);
  });
});
