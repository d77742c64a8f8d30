import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { CatalogueIndex } from '#registry';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { valueOfRow } from './settled-rows.js';
import { openCopies, openSettled, SETTLED_TOPIC, type Copies, type Settled } from './index.js';

let catalogue: CatalogueIndex;
let stage: Stage;
let opened: AsyncDisposableStack;
let relisted: string[];
beforeAll(() => {
  catalogue = catalogueOfFiles(2);
});
beforeEach(async () => {
  opened = new AsyncDisposableStack();
  relisted = [];
  stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif')).open();
});
afterEach(async () => {
  await opened.disposeAsync();
  await stage.close();
});

const ban = (id: string) =>
  recordOf(catalogue, { type: 'imigrasi.cegah.ditetapkan', data: { nomorCekal: 'C-1', jenis: 'cegah' }, id });
const STREAM = 'imigrasi.cegah';
const project = () =>
  stage.project({
    report: {
      relisting: ({ stream, partition, from, next }) => relisted.push(`${stream}/${partition} ${from}-${next}`),
    },
  });
const remake = async (): Promise<void> => {
  const { length: partitions } = await stage.log.describe(SETTLED_TOPIC);
  await stage.log.deleteTopic(SETTLED_TOPIC);
  await stage.log.ensureTopic({ name: SETTLED_TOPIC, partitions, cleanup: 'compact' });
};
/** A gateway that is started now. */
const gateway = async (): Promise<{ readonly copies: Copies; readonly settled: Settled }> => {
  const { log, state, streams } = stage;
  const copies = opened.adopt(await openCopies(log), (c) => c.close());
  return { copies, settled: opened.adopt(await openSettled({ log, state, copies, streams }), (s) => s.close()) };
};
/** Waits for the end; fails when an end is shown without the copies below it. */
const readTo = (settled: Settled, end: bigint) =>
  until(() => {
    if (settled.end(STREAM, 0) >= 2n) expect(settled.originalOf(STREAM, 0, 1n)).toBe(0n);
    return settled.end(STREAM, 0) === end;
  });

describe('the list of copies and settled ends, made again alone', () => {
  it('is written again by the owners that run; a gateway that starts afterwards has every copy, and readers go on', async () => {
    const one = ban('sama');
    await stage.append([one, one, ban('b')]);
    await project();
    await stage.untilCaughtUp();
    const before = await gateway();
    await readTo(before.settled, 3n);
    await remake();
    const after = await gateway();
    await readTo(after.settled, 3n);
    await stage.append([ban('c')]);
    for (const { settled } of [before, after]) {
      expect(await settled.waitFor(STREAM, 0, 4n, 20_000)).toBe(4n);
      await readTo(settled, 4n);
    }
    expect(relisted).toEqual([]);
  });

  it('while no owner ran: no end of the store is believed before the next owner has found the copies again, which is told', async () => {
    const one = ban('sama');
    await stage.append([one, one, ban('b')]);
    await project();
    await stage.untilCaughtUp();
    await stage.projector!.close();
    stage.projector = undefined;
    await stage.settled.close();
    await stage.copies.close();
    await remake();
    const { settled } = await gateway();
    stage.copies = await openCopies(stage.log);
    const { log, state, copies, streams } = stage;
    stage.settled = await openSettled({ log, state, copies, streams });
    expect(await settled.waitFor(STREAM, 0, 3n, 300)).toBe(0n);
    await project();
    await readTo(settled, 3n);
    expect(relisted).toEqual([`${STREAM}/0 0-3`]);
    // and what it has found again is there for the next one
    await stage.projector!.close();
    await project();
    expect(relisted).toHaveLength(1);
    await readTo((await gateway()).settled, 3n);
  });

  it('does not take the end of an owner that does not know of it yet', async () => {
    await stage.append([ban('a'), ban('a'), ban('b')]);
    const topicId = await stage.log.topicId(STREAM);
    const { copies, settled } = await gateway();
    const row = { kind: 'end', stream: STREAM, partition: 0, topicId, reset: -1n, epoch: 5n, end: 3n } as const;
    const append = async (table: string | undefined): Promise<void> => {
      const value = valueOfRow(table === undefined ? row : { ...row, table });
      const record = { key: Buffer.from(`${STREAM}/0/end`), value, headers: [] };
      for (const { partition } of await stage.log.describe(SETTLED_TOPIC))
        await stage.log.append(SETTLED_TOPIC, partition, [record]);
      await copies.refresh();
    };
    await append('00000000');
    expect([settled.end(STREAM, 0), copies.isListed(STREAM, 0)]).toEqual([0n, false]);
    // an earlier version named no table
    await append(undefined);
    expect([settled.end(STREAM, 0), copies.isListed(STREAM, 0)]).toEqual([3n, true]);
  });
});
