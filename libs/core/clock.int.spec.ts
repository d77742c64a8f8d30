import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openEmbeddedLog } from '#log-embedded';
import { openEmbeddedState } from '#state-embedded';
import type { First } from '#state';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/kit/projection/stage.js';
import { ageClockOf, clockOf } from './clock.js';
import { Concerns } from './concerns.js';

const DAY_MS = 86_400_000;
let dir: string;
/** How far the clock of the machine is wrong. */
let wrong: number;
const wall = (): number => Date.now() + wrong;
beforeEach(() => {
  wrong = 0;
  dir = mkdtempSync(join(tmpdir(), 'simpul-clock-'));
});
/** Closed also when an expectation fails; closing twice is nothing. */
const opened: { close(): Promise<void> }[] = [];
const toClose = <T extends { close(): Promise<void> }>(port: T): T => (opened.push(port), port);
afterEach(async () => {
  for (const port of opened.splice(0)) await port.close();
  rmSync(dir, { recursive: true, force: true });
});

const first = (id: string): First => ({
  source: 'urn:simpul:unit:SU00123:uji',
  id,
  stream: 'uji.a',
  partition: 0,
  offset: 0n,
  digest: '0'.repeat(64),
  schemaId: 1,
  recordedTimeMs: Date.now(),
});

describe('a clock that is nine days ahead for a while', () => {
  it('empties no duplicate index, also when the hub is started meanwhile', async () => {
    const open = async () => toClose(await openEmbeddedState({ dir, now: wall, ageClock: ageClockOf(wall) }));
    let state = await open();
    await state.putFirst([first('a')]);
    await state.close();
    wrong = 9 * DAY_MS;
    state = await open();
    // Writing begins the removal of what is old; the row of the second write proves that the store has worked since.
    for (const id of ['b', 'c']) await state.putFirst([first(id)]);
    wrong = 0;
    const held = await state.putFirst([{ ...first('a'), offset: 9n }]);
    expect(held).toMatchObject([{ id: 'a', offset: 0n }]);
    await state.close();
  });

  it('deletes no event of a stream with a retention, also when the hub is started meanwhile; events that are really old go', async () => {
    const topic = { name: 'uji.a', partitions: 1, cleanup: 'keep' as const, retentionMs: 8 * DAY_MS };
    const one = { key: Buffer.from('k'), value: Buffer.from('v'), headers: [] };
    let log = toClose(await openEmbeddedLog({ dir, now: wall, ageClock: ageClockOf(wall) }));
    await log.ensureTopic(topic);
    await log.append('uji.a', 0, [one]);
    await log.close();
    wrong = 9 * DAY_MS;
    log = toClose(await openEmbeddedLog({ dir, now: wall, ageClock: ageClockOf(wall) }));
    await log.maintain();
    expect(await log.describe('uji.a')).toMatchObject([{ low: 0n, high: 1n }]);
    await log.close();
    const plain = toClose(await openEmbeddedLog({ dir, now: wall }));
    await plain.maintain();
    await until(async () => (await plain.describe('uji.a'))[0]!.low === 1n);
    await plain.close();
  });
});

it('a jump of the clock is one line and a concern, until the clocks agree again', () => {
  const lines: unknown[] = [];
  const concerns = new Concerns();
  const logger = { warn: (fields: object) => lines.push(fields), info: (fields: object) => lines.push(fields) };
  const clock = clockOf(logger, concerns, wall);
  clock();
  wrong = 9 * DAY_MS;
  for (let i = 0; i < 3; i++) expect(clock() - Date.now()).toBeLessThan(DAY_MS);
  expect(lines).toEqual([{ bySeconds: expect.any(Number) }]);
  expect(concerns.list()).toMatchObject([{ subject: 'clock' }]);
});
