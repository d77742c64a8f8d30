import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createConsumer, onEvent, SourceSet } from '#consuming';
import { PasporDiterbitkan } from '#event-types';
import type { ReadEvent } from '#sdk';
import { DeliveryStage, OFFICE } from '../../../../test/kit/deliveries/stage.js';
import { until } from '../../../../test/kit/projection/stage.js';
import { History } from '../history.js';
import type { Office } from '../office.js';
import { Pulls } from './pulls.js';

let hub: DeliveryStage;
const dir = mkdtempSync(join(tmpdir(), 'simpul-pulls-'));
beforeAll(async () => {
  hub = await DeliveryStage.open('embedded');
});
afterAll(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

it('offices that pull, with subscribe() and as a Nest consumer, get what the hub recorded since the start of the day, each once, and write it into the history', async () => {
  const file = join(dir, 'h.ndjson');
  const history = new History(file, () => 0);
  const faults: string[] = [];
  const from = new Date().toISOString();
  const pulls = new Pulls({ url: hub.url, from, history, fault: (text) => faults.push(text) });
  const office = { owner: OFFICE, system: 'loket', name: 'Kanim', key: await hub.key() } as Office;
  // Of an earlier day.
  await hub.ask('POST', '/v1/subscriptions', {
    ...{ name: 'tarik-paspor-diterbitkan', types: ['imigrasi.#'], target: { kind: 'pull' } },
  });
  const set = new SourceSet();
  pulls.follow('sdk', office, [PasporDiterbitkan], []);
  await pulls.open(set);
  const seen: string[] = [];
  const consumer = createConsumer({
    source: set,
    handlers: [
      onEvent(PasporDiterbitkan, (event, { feed }) => {
        seen.push(`${feed} ${event.id}`);
        setImmediate(() => pulls.handled(OFFICE, event as unknown as ReadEvent));
      }),
    ],
  });
  const running = consumer.run();
  await hub.publish([1, 1, 2]);
  await until(async () => pulls.received === 3 && (await pulls.behind()) === 0);
  await consumer.stop();
  await running;
  const nest = new Pulls({ url: hub.url, from, history, fault: (text) => faults.push(text) });
  nest.follow('nest', office, [PasporDiterbitkan], []);
  const second = new SourceSet();
  await nest.open(second);
  const other = createConsumer({
    source: second,
    handlers: [onEvent(PasporDiterbitkan, (event, { feed }) => void seen.push(`${feed} ${event.id}`))],
  });
  const ran = other.run();
  await until(async () => nest.received === 3 && (await nest.behind()) === 0);
  await other.stop();
  await ran;
  await Promise.all([pulls.close(), nest.close()]);
  history.close();
  const ids = hub.published.map(({ id }) => id);
  const own = (feed: string) => ids.map((id) => `${OFFICE}/${feed} ${id}`);
  expect(seen.toSorted()).toEqual([...own('imigrasi.paspor'), ...own('pull/tarik-paspor-diterbitkan')].toSorted());
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ f }) => f === 'subscribe')).toHaveLength(2);
  expect(
    lines
      .filter(({ f, type }) => f === 'deliver' && type === 'ok')
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual([...ids, ...ids].toSorted());
  expect(faults).toEqual([]);
});
