import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { COPIES_TOPIC, type EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { readAll, text, until } from '#log/conformance';
import { openCopies, type Copies } from './index.js';

const STREAM = 'imigrasi.cegah';
const ID = '0123456789abcdef0123456789abcdef';

describe('the table of copies and settled ends', () => {
  let dir: string;
  let log: EventLog;
  let open: Copies[];
  const copies = async (): Promise<Copies> => {
    const made = await openCopies(log);
    open.push(made);
    return made;
  };
  const append = async (key: string, value: object): Promise<void> => {
    const record = { key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), headers: [] };
    expect(await log.append(COPIES_TOPIC, 0, [record])).toMatchObject({ kind: 'accepted' });
  };
  const records = async (): Promise<[string | undefined, string | undefined][]> =>
    (await readAll(log, COPIES_TOPIC)).map((r) => [r.key?.toString(), text(r)]);

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-copies-'));
    log = await openEmbeddedLog({ dir });
    await log.ensureTopic({ name: COPIES_TOPIC, partitions: 1, cleanup: 'compact' });
    open = [];
  });
  afterEach(async () => {
    for (const c of open) await c.close();
    await log.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('reads the records of earlier hubs and writes the same format', async () => {
    await append(`${STREAM}/0/9`, { first: '4' });
    await append(`end/${STREAM}/0`, { end: '12', epoch: '3' });
    const one = await copies();
    expect([one.originalOf(STREAM, 0, 9n), one.originalOf(STREAM, 0, 4n), one.end(STREAM, 0)]).toEqual([
      4n,
      undefined,
      12n,
    ]);
    await one.list(STREAM, 1, ID, [{ offset: 7n, first: 2n }], 5n);
    one.settle(STREAM, 0, 20n, 5n, ID);
    await one.writeEnds();
    expect((await records()).slice(2)).toEqual([
      [`${STREAM}/1/7`, '{"first":"2"}'],
      [`end/${STREAM}/0`, '{"end":"20","epoch":"5"}'],
    ]);
    expect([one.originalOf(STREAM, 1, 7n), one.originalOf(STREAM, 1, 8n)]).toEqual([2n, undefined]);
  });

  it('shows what another process lists and settles, and tells the listener of each end that grows', async () => {
    const [one, other] = [await copies(), await copies()];
    const ends: bigint[] = [];
    other.onEnd((_stream, _partition, end) => ends.push(end));
    await one.list(STREAM, 0, ID, [{ offset: 1n, first: 0n }], 5n);
    one.settle(STREAM, 0, 2n, 5n, ID);
    await one.writeEnds();
    await other.refresh();
    expect([other.originalOf(STREAM, 0, 1n), other.end(STREAM, 0), ends]).toEqual([0n, 2n, [2n]]);
  });

  it('keeps the end of the owner as the last record when a former projector writes its end late, so that compaction does not set it back', async () => {
    const owner = await copies();
    owner.settle(STREAM, 0, 100n, 7n, ID);
    await owner.writeEnds();
    await append(`end/${STREAM}/0`, { end: '5', epoch: '3' });
    await until('the owner to write its end again', async () => (await records()).length === 3);
    expect((await records()).at(-1)).toEqual([`end/${STREAM}/0`, '{"end":"100","epoch":"7"}']);
    expect((await copies()).end(STREAM, 0)).toBe(100n);
  });
});
