import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { CatalogueIndex } from '#registry';
import { snapshotTopics } from '#snapshots';
import { catalogueOfFiles, viewsOf } from '../../test/kit/projection/events.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { traffic } from '../../test/kit/projection/traffic.js';
import { digestOfView, type CompiledView, type OpenProjectorDeps } from './index.js';

const VIEW = 'layanan.kasus-papan';
const STREAM = 'layanan.kasus';
const DAY = 86_400_000;
const PARTITIONS = 2;

let catalogue: CatalogueIndex;
let stage: Stage;
let logNow: number;
let outcomes: string[];
let failed: Set<string>;
let folded: number;

beforeEach(async () => {
  catalogue = catalogueOfFiles(PARTITIONS);
  [logNow, outcomes, failed, folded] = [Date.now() - 30 * DAY, [], new Set(), 0];
  stage = await new Stage(catalogue, viewsOf(catalogue, VIEW), { logNow: () => logNow }).open();
});
afterEach(() => stage.close());

const view = (): CompiledView => stage.views[0]!;
const some = (seed: number, count: number) => traffic(catalogue, seed, count).filter((t) => t.stream === STREAM);
const digest = () => digestOfView(stage.state, view(), stage.storage(view()));

const project = (more: Partial<OpenProjectorDeps> = {}) =>
  stage.project({
    snapshots: 'all',
    snapshotLingerMs: 5,
    report: {
      folded: (_view, _storage, _part, _next, events) => (folded += events),
      filledFromSnapshot: (_view, _storage, _partition, outcome) => outcomes.push(outcome),
      catchUpFailed: (_view, _part, cause) => failed.add((cause as { code: string }).code),
    },
    ...more,
  });

/** The stream keeps its events for ten days, and all that it holds is older. */
async function forget(): Promise<void> {
  await stage.log.setRetention(STREAM, 10 * DAY);
  catalogue.putStream(STREAM, PARTITIONS, 10 * DAY);
  logNow += 11 * DAY;
  await stage.maintain();
  for (const { low, high } of await stage.log.describe(STREAM)) expect(low).toBe(high);
}

/** Every snapshot is complete and holds the whole log. */
const untilWritten = () =>
  until(async () => {
    const held = stage.projector!.snapshots();
    const ends = await stage.log.describe(STREAM);
    return (
      held.length === PARTITIONS &&
      held.every(
        ({ state, partition, places }) =>
          state === 'complete' && places.find((p) => p.stream === STREAM)?.next === ends[partition]!.high,
      )
    );
  });

/** Folds some events, keeps a copy of the store, folds more, and lets the log forget all of them. Answers the copy and what the view then holds. */
async function olderCopy(): Promise<{ readonly copy: string; readonly whole: string }> {
  await stage.append(some(61, 400));
  await project();
  await stage.untilCaughtUp();
  await untilWritten();
  const copy = await stage.copyState();
  await project();
  await stage.append(some(62, 800));
  await stage.untilCaughtUp();
  await untilWritten();
  const whole = await digest();
  await forget();
  return { copy, whole };
}

/** The tables of the open store become those of the copy, as when Redis comes back with an older file. */
function setBack(copy: string): void {
  const db = new DatabaseSync(join(stage.dir, 'state', 'state.sqlite'), { timeout: 5_000 });
  try {
    db.exec(`ATTACH '${join(copy, 'state.sqlite')}' AS old; BEGIN IMMEDIATE`);
    const tables = db
      .prepare("SELECT name FROM old.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
      .all();
    for (const { name } of tables)
      db.exec(
        `DELETE FROM main."${String(name)}"; INSERT INTO main."${String(name)}" SELECT * FROM old."${String(name)}"`,
      );
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

describe('a store that was set back to where the log has deleted what follows', () => {
  it('is filled from the complete snapshots: no event is missing, none is read again, and it is folded on', async () => {
    const { copy, whole } = await olderCopy();
    await stage.shut();
    stage.restoreState(copy);
    await stage.open();
    [outcomes, folded] = [[], 0];
    await project();
    await until(async () => outcomes.length === PARTITIONS && (await digest()) === whole);
    expect([outcomes, folded]).toEqual([['filled', 'filled'], 0]);
    await stage.append(some(63, 100));
    await stage.untilCaughtUp();
    expect(await digest()).not.toBe(whole);
    expect(failed).toEqual(new Set());
  });

  it('is filled from them under the running hub too', async () => {
    const { copy, whole } = await olderCopy();
    outcomes = [];
    setBack(copy);
    await until(async () => outcomes.length === PARTITIONS && (await digest()) === whole);
    expect(outcomes).toEqual(['filled', 'filled']);
    await stage.append(some(63, 100));
    await stage.untilCaughtUp();
    expect(await digest()).not.toBe(whole);
  });

  it('and has no snapshot keeps what it holds, and says that the history is missing; events are judged and shown as before', async () => {
    const { copy } = await olderCopy();
    await stage.shut();
    stage.restoreState(copy);
    await stage.open();
    for (const topic of snapshotTopics(stage.storage(view())))
      if ((await stage.log.topics()).includes(topic)) await stage.log.deleteTopic(topic);
    const before = await digest();
    await project();
    await until(() => failed.has('view_history_missing'));
    const more = some(63, 100);
    await stage.append(more);
    const ends = await stage.log.describe(STREAM);
    await until(() => ends.every(({ partition, high }) => stage.settled.end(STREAM, partition) >= high));
    expect(await digest()).toBe(before);
  });
});
