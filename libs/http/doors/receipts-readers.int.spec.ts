import { COURIER_PARTITIONS } from '#subscriptions';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeTable } from '../../../test/kit/doors/fake-desk.js';
import { RECEIPT, SubscriptionEdge, type Answer } from '../../../test/kit/doors/subscription-edge.js';

let table: FakeTable;
let gateway: SubscriptionEdge;
let owner: SubscriptionEdge;
let others: Server[];
beforeEach(async () => {
  others = [];
  table = new FakeTable();
  gateway = await new SubscriptionEdge(table).open();
  owner = await new SubscriptionEdge(table).open();
  for (let p = 0; p < COURIER_PARTITIONS; p++) table.owners.set(p, p % 2 === 0 ? gateway.url : owner.url);
});
afterEach(async () => {
  await Promise.all([gateway.close(true), owner.close(true)]);
  for (const other of others) {
    other.closeAllConnections();
    other.close();
  }
});

/** Eight subscriptions of two owners, in partitions of both processes; each state is there twice. Answers the ids by owner. */
async function eightReaders(): Promise<{ own: string[]; beside: string[] }> {
  const [template] = [await gateway.made()].map((id) => table.get(id)!);
  table.rows.clear();
  const ids = { own: [] as string[], beside: [] as string[] };
  const states = new Map();
  for (const [i, state] of (['delivered', 'parked', 'pending', 'filtered'] as const).entries())
    for (const [as, owning] of [
      ['own', 'SU00123'],
      ['beside', 'SU00124'],
    ] as const) {
      const id = `sub_${'abcdefgh'[i * 2 + Number(as === 'beside')]!.repeat(20)}`;
      table.rows.set(id, { ...template!, id, owner: owning, name: `n${i}` });
      states.set(
        id,
        state === 'delivered' ? { state, at: '2021-07-15T00:00:01.000Z', tries: 2, status: 204 } : { state },
      );
      ids[as].push(id);
    }
  table.receipts.set(RECEIPT.position, states);
  return ids;
}
const readersOf = ({ body }: Answer): string[] =>
  (body.readers as { subscription: string; state: string }[]).map((r) => r.subscription).sort();

describe('the receipt of an event', () => {
  it('tells its publisher and the units above it who gets it, asked of all owners, and not whose subscriptions do not match', async () => {
    const { own, beside } = await eightReaders();
    const { status, body } = await gateway.receipt('publisher');
    expect([status, body.position, body.readersIncomplete, body.readersOf]).toEqual([
      200,
      RECEIPT.position,
      undefined,
      undefined,
    ]);
    expect(body.readers).toContainEqual({
      ...{ subscription: beside[0], owner: 'SU00124', state: 'delivered' },
      ...{ at: '2021-07-15T00:00:01.000Z', tries: 2, status: 204 },
    });
    const due = [...own.slice(0, 3), ...beside.slice(0, 3)].sort();
    for (const edge of [gateway, owner])
      for (const as of ['publisher', 'aboveadmin', 'abovereader', 'hub'])
        expect([as, readersOf(await edge.receipt(as))]).toEqual([as, due]);
  });

  it('tells a reader of its own subscriptions, also that one does not match, and of those of others only what it has published itself', async () => {
    const { own, beside } = await eightReaders();
    expect(readersOf(await gateway.receipt('beside'))).toEqual([...beside].sort());
    expect(readersOf(await gateway.receipt('own'))).toEqual([...own, ...beside.slice(0, 3)].sort());
    expect(readersOf(await gateway.receipt('own', 'urn:simpul:unit:SU00124:uji'))).toEqual([...own].sort());
  });

  it('is incomplete, and no error, when an owner does not answer in time, answers nonsense, is gone, or nobody owns a partition', async () => {
    const { own } = await eightReaders();
    const silent = await process(() => undefined);
    const nonsense = await process((res) => void res.end('<html>'));
    const gone = 'http://127.0.0.1:1';
    for (const address of [silent, nonsense, gone, undefined]) {
      for (let p = 1; p < COURIER_PARTITIONS; p += 2)
        if (address === undefined) table.owners.delete(p);
        else table.owners.set(p, address);
      const began = performance.now();
      const answer = await gateway.receipt('publisher');
      expect([address, answer.status, answer.body.readersIncomplete]).toEqual([address, 200, true]);
      expect(performance.now() - began).toBeLessThan(5_000);
      expect(readersOf(answer).length).toBeLessThan(own.length * 2);
    }
  });

  it('names to another process only the readers that are there, and which partitions those are', async () => {
    const part = await owner.receipt('publisher', undefined, { 'simpul-forwarded': gateway.url });
    expect([part.status, part.body.readersOf.length, part.body.readersIncomplete]).toEqual([200, 8, undefined]);
  });
});

async function process(answer: (res: ServerResponse) => void): Promise<string> {
  const server = createServer((_req, res) => answer(res));
  others.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
