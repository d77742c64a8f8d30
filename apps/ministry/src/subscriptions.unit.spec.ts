import { describe, expect, it } from '@jest/globals';
import { SdkFault, type ReadEvent, type Reader, type ReadOptions } from '#sdk';
import type { Office } from './office.js';
import { Subscriptions, type ReceivedEvent } from './subscriptions.js';

const BAN = 'imigrasi.cegah.ditetapkan';
const BILL = 'keu.pnbp.tagihan-diterbitkan';
const event = (id: string, type: string): ReadEvent => ({ id, type, position: `s/0/${id}` }) as ReadEvent;

/** An office whose reader gives these events once, live or by poll, and then waits until it is stopped. */
function officeWith(owner: string, events: ReadEvent[], refused?: SdkFault) {
  const asked: ReadOptions[] = [];
  async function* live(_stream: string, options: ReadOptions = {}) {
    asked.push(options);
    if (refused) throw refused;
    yield* events.splice(0);
    await new Promise((resolve) => options.signal!.addEventListener('abort', resolve, { once: true }));
  }
  async function* pages(_stream: string, options: ReadOptions = {}) {
    asked.push(options);
    yield { events: events.splice(0), next: `c${asked.length}` };
  }
  return { office: { owner, name: owner, reader: { live, pages } as unknown as Reader } as Office, asked };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe('Subscriptions', () => {
  it('gives a handler each event with the office that received it, also for a subscription that is added after run', async () => {
    const [early, late] = [officeWith('SU1', [event('1', BAN)]), officeWith('SU2', [event('2', BILL)])];
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z');
    subscriptions.add({ office: early.office, types: [BAN], own: true });
    const received: string[] = [];
    const running = subscriptions.run((type, batch) => {
      for (const r of batch as ReceivedEvent[]) received.push(`${r.office.owner} ${type} ${r.event.id}`);
      return Promise.resolve();
    });
    await until(() => received.length === 1);
    subscriptions.add({ office: late.office, types: [BILL] });
    await until(() => received.length === 2);
    await subscriptions.stop();
    await running;
    expect(received).toEqual([`SU1 ${BAN} 1`, `SU2 ${BILL} 2`]);
    expect(early.asked).toMatchObject([{ from: '2021-07-15T00:00:00Z', type: [BAN], unit: 'SU1' }]);
    expect(late.asked[0]).not.toHaveProperty('unit');
  });

  it('polls at the given interval and goes on at the cursor of the last page', async () => {
    const { office, asked } = officeWith('SU1', [event('1', BAN), event('2', BAN)]);
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z');
    subscriptions.add({ office, types: [BAN], pollMs: 1 });
    const batches: number[] = [];
    const running = subscriptions.run((_type, batch) =>
      Promise.resolve(void batches.push((batch as ReceivedEvent[]).length)),
    );
    await until(() => asked.length > 2);
    await subscriptions.stop();
    await running;
    expect(batches).toEqual([2]);
    expect(asked[0]).toMatchObject({ from: '2021-07-15T00:00:00Z', limit: 500 });
    expect(asked[1]).toMatchObject({ cursor: 'c1' });
    expect(asked[2]).toMatchObject({ cursor: 'c2' });
  });

  it('reports a subscription that the hub refuses, and goes on with the others', async () => {
    const refusal = new SdkFault(403, { code: 'forbidden' }, { retryable: false });
    const [bad, good] = [officeWith('SU1', [], refusal), officeWith('SU2', [event('2', BAN)])];
    const faults: string[] = [];
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z', { fault: (text) => faults.push(text) });
    for (const { office } of [bad, good]) subscriptions.add({ office, types: [BAN] });
    const received: string[] = [];
    const running = subscriptions.run((_type, batch) =>
      Promise.resolve(void received.push(...(batch as ReceivedEvent[]).map((r) => r.event.id))),
    );
    await until(() => received.length === 1 && faults.length === 1);
    await subscriptions.stop();
    await running;
    expect(faults).toEqual([`SU1: ${BAN}: ${refusal.message}`]);
  });
});
