import { afterEach, describe, expect, it } from '@jest/globals';
import { createConsumer, onEvent, type Handling } from '#consuming';
import { CegahDitetapkan, PnbpTagihanDiterbitkan } from '#event-types';
import { SdkFault, type ReadEvent, type Reader, type ReadOptions } from '#sdk';
import type { Office } from './office.js';
import { Subscriptions } from './subscriptions.js';

const event = (id: string, { type, stream, version }: typeof CegahDitetapkan | typeof PnbpTagihanDiterbitkan) =>
  ({ id, type, subject: id, position: `${stream}/0/${id}`, dataschema: `urn:simpul:schema:${type}:${version}` }) as ReadEvent; // prettier-ignore

/** An office whose reader gives these events once, and then waits until it is stopped, or, when it is polled, ends. */
function officeWith(owner: string, events: ReadEvent[], refused?: SdkFault) {
  const asked: ReadOptions[] = [];
  async function* pages(_stream: string, options: ReadOptions = {}) {
    asked.push(options);
    if (refused) throw refused;
    yield { events: events.splice(0), next: `c${asked.length}` };
    if (options.follow === 'live')
      await new Promise((resolve) => options.signal!.addEventListener('abort', resolve, { once: true }));
  }
  return { office: { owner, name: `Kanim ${owner}`, reader: { pages } as unknown as Reader } as Office, asked };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
/** Runs the handlers of an app over the subscriptions. */
function run(subscriptions: Subscriptions, handlers: readonly Handling[]): void {
  const consumer = createConsumer({ source: subscriptions.source, handlers, report: subscriptions.report });
  const ended = consumer.run();
  stops.push(async () => {
    await consumer.stop();
    await ended;
  });
}

describe('Subscriptions', () => {
  it('gives a handler each event with the office that received it, also for a subscription that is added while the app runs', async () => {
    const early = officeWith('SU1', [event('1', CegahDitetapkan)]);
    const late = officeWith('SU2', [event('2', PnbpTagihanDiterbitkan)]);
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z');
    subscriptions.add({ office: early.office, types: [CegahDitetapkan], own: true });
    const received: string[] = [];
    const note = (e: { id: string; type: string }, { feed }: { feed: string }) =>
      void received.push(`${feed} ${e.type} ${e.id}`);
    run(subscriptions, [onEvent(CegahDitetapkan, note), onEvent(PnbpTagihanDiterbitkan, note)]);
    await until(() => received.length === 1);
    subscriptions.add({ office: late.office, types: [PnbpTagihanDiterbitkan] });
    await until(() => received.length === 2);
    expect(received).toEqual([
      'SU1/imigrasi.cegah imigrasi.cegah.ditetapkan 1',
      'SU2/keu.pnbp keu.pnbp.tagihan-diterbitkan 2',
    ]);
    expect(early.asked).toMatchObject([
      { from: '2021-07-15T00:00:00Z', type: ['imigrasi.cegah.ditetapkan'], unit: 'SU1', follow: 'live' },
    ]);
    expect(late.asked[0]).not.toHaveProperty('unit');
  });

  it('looks at the given interval and goes on at the cursor of the last page', async () => {
    const { office, asked } = officeWith('SU1', [event('1', CegahDitetapkan), event('2', CegahDitetapkan)]);
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z');
    subscriptions.add({ office, types: [CegahDitetapkan], pollMs: 1 });
    const received: string[] = [];
    run(subscriptions, [onEvent(CegahDitetapkan, (e) => void received.push(e.id))]);
    await until(() => asked.length > 2);
    expect(received).toEqual(['1', '2']);
    expect(asked.slice(0, 3)).toMatchObject([{ from: '2021-07-15T00:00:00Z' }, { cursor: 'c1' }, { cursor: 'c2' }]);
    expect(asked[0]).not.toHaveProperty('follow');
  });

  it('reports a subscription that the hub refuses by the name of its office, and goes on with the others', async () => {
    const refusal = new SdkFault(403, { code: 'forbidden' }, { retryable: false });
    const [bad, good] = [officeWith('SU1', [], refusal), officeWith('SU2', [event('2', CegahDitetapkan)])];
    const faults: string[] = [];
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z', { fault: (text) => faults.push(text) });
    for (const { office } of [bad, good]) subscriptions.add({ office, types: [CegahDitetapkan] });
    const received: string[] = [];
    run(subscriptions, [onEvent(CegahDitetapkan, (e) => void received.push(e.id))]);
    await until(() => received.length === 1 && faults.length === 1);
    expect(faults).toEqual([expect.stringMatching(/^Kanim SU1: the hub refuses to give imigrasi\.cegah/)]);
  });

  it('reports a handler that fails', async () => {
    const { office } = officeWith('SU1', [event('1', CegahDitetapkan)]);
    const faults: string[] = [];
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z', { fault: (text) => faults.push(text) });
    subscriptions.add({ office, types: [CegahDitetapkan] });
    let attempts = 0;
    const failOnce = (): void => {
      if (++attempts === 1) throw new Error('no such post');
    };
    run(subscriptions, [onEvent(CegahDitetapkan, failOnce, { backoffMs: 1 })]);
    await until(() => attempts === 2);
    expect(faults).toEqual(['imigrasi.cegah.ditetapkan: no such post']);
  });
});
