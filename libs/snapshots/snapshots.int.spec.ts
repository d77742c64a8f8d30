import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import type { EventLog } from '#log';
import { until } from '../../test/kit/projection/stage.js';
import { random } from '../../test/kit/random.js';
import { readSnapshot, readTail, snapshotTopic, snapshotTopicSpec, SnapshotWriter } from './index.js';
import type { SnapshotChange, StreamPlace } from './index.js';

const STORAGE = 'uji.pandangan~1';
const TOPIC = snapshotTopic(STORAGE);
const S = 'uji.aliran';

let dir: string;
let log: EmbeddedLog;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-snapshots-'));
  log = await openEmbeddedLog({ dir });
  await log.ensureTopic(snapshotTopicSpec(TOPIC, 1));
});
afterEach(async () => {
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const put = (key: string, offset: number, value: string | null = `"${key}@${offset}"`): SnapshotChange => ({
  space: 'entry',
  key,
  stream: S,
  offset: BigInt(offset),
  appendTimeMs: 1_000 + offset,
  value,
});
const at = (next: number): StreamPlace[] => [
  { stream: S, next: BigInt(next), appendTimeMs: 999 + next, proof: `p${next}` },
];

async function writerOf(epoch: bigint, more: { log?: Pick<EventLog, 'append' | 'read'>; goOn?: boolean } = {}) {
  const tail = await readTail(log, TOPIC, 0);
  const found: string[] = [];
  const writer = new SnapshotWriter(
    {
      log: more.log ?? log,
      topic: TOPIC,
      partition: 0,
      epoch,
      lingerMs: 5,
      overwritten: (keys) => Promise.resolve(void found.push(...keys.map((k) => k.key))),
    },
    tail,
    more.goOn ?? tail.progress?.complete === true,
  );
  if (!writer.progress.complete) writer.completed(at(0));
  return Object.assign(writer, { found });
}

/** What the reader gives, as key → value; a text: the flaw. */
async function held(): Promise<{ next: number; values: Record<string, string> } | string> {
  const values = new Map<string, string>();
  const read = await readSnapshot({
    log,
    topic: TOPIC,
    partition: 0,
    tail: await readTail(log, TOPIC, 0),
    page: (changes) => {
      for (const c of changes) {
        const key = c.space === 'entry' ? c.key : `bagian ${c.key}`;
        if (c.value === null) values.delete(key);
        else values.set(key, c.value);
      }
      return Promise.resolve();
    },
  });
  if (typeof read === 'string') return read;
  return { next: Number(read.places[0]!.next), values: Object.fromEntries([...values].sort()) };
}

describe('a snapshot', () => {
  it('holds exactly the entries of the place that its progress names: newest values, deletes, both spaces, position, append time and proof', async () => {
    const writer = await writerOf(7n);
    writer.add({ changes: [put('a', 0), put('b', 1), { ...put('a', 1, '{"k":"b"}'), space: 'part' }], places: at(2) });
    writer.add({ changes: [put('a', 2), put('b', 3, null), put('c d/é', 3)], places: at(4) });
    await writer.flush();
    const pages: SnapshotChange[] = [];
    const tail = await readTail(log, TOPIC, 0);
    const page = (changes: readonly SnapshotChange[]): Promise<void> => Promise.resolve(void pages.push(...changes));
    const read = await readSnapshot({ log, topic: TOPIC, partition: 0, tail, page });
    expect(read).toMatchObject({ complete: true, places: at(4) });
    expect(pages.filter((c) => c.value !== null)).toEqual(
      expect.arrayContaining([put('a', 2), put('c d/é', 3), { ...put('a', 1, '{"k":"b"}'), space: 'part' }]),
    );
    expect(await held()).toEqual({
      next: 4,
      values: { a: '"a@2"', 'bagian a': '{"k":"b"}', 'c d/é': '"c d/é@3"' },
    });
  });

  it('is the whole state of an earlier place after a crash before any append, also in a step that needs several appends', async () => {
    const next = random(5);
    for (let crash = 1; crash <= 25; crash++) {
      const topic = snapshotTopicSpec(`uji.putus-${crash}`, 1);
      await log.ensureTopic(topic);
      let left = crash;
      const failing: Pick<EventLog, 'append' | 'read'> = {
        read: (...a) => log.read(...a),
        append: (...a) =>
          left-- > 0 ? log.append(...a) : Promise.resolve({ kind: 'refused', code: 'log_unavailable' }),
      };
      const tail = await readTail(log, topic.name, 0);
      const writer = new SnapshotWriter(
        { log: failing, topic: topic.name, partition: 0, epoch: 1n, lingerMs: 0, overwritten: () => Promise.resolve() },
        tail,
        false,
      );
      writer.completed(at(0));
      const states = new Map<number, Record<string, string>>([[0, {}]]);
      const state = new Map<string, string>();
      for (let step = 1, offset = 0; step <= 12; step++) {
        const many = step % 4 === 0 ? 1_200 : 1 + Math.floor(next() * 40);
        const changes = new Map<string, SnapshotChange>();
        for (let i = 0; i < many; i++) {
          const key = `k${Math.floor(next() * (step % 4 === 0 ? 3_000 : 60))}`;
          const gone = next() < 0.2;
          const change = put(key, offset++, gone ? null : `"${key}@${offset}"`);
          changes.set(key, change);
          if (gone) state.delete(key);
          else state.set(key, change.value!);
        }
        writer.add({ changes: [...changes.values()], places: at(offset) });
        states.set(offset, Object.fromEntries([...state].sort()));
        // A step of its own each time, else they are coalesced and fewer places are seen.
        void writer.flush();
        await until(() => left < 0 || writer.waiting === 0);
        if (left < 0) break;
      }
      writer.stop();
      const values = new Map<string, string>();
      const read = await readSnapshot({
        log,
        topic: topic.name,
        partition: 0,
        tail: await readTail(log, topic.name, 0),
        page: (cs) => {
          for (const c of cs) {
            if (c.value === null) values.delete(c.key);
            else values.set(c.key, c.value);
          }
          return Promise.resolve();
        },
      });
      if (typeof read === 'string') throw new Error(read);
      const place = Number(read.places[0]!.next);
      expect([place, Object.fromEntries([...values].sort())]).toEqual([place, states.get(place)]);
    }
  });

  it('of an earlier version, whose progress does not name its own offset, is read, and goes on', async () => {
    const since = { offset: '0', version: { epoch: '3', sequence: 1 } };
    const places = [{ stream: S, next: '2', appendTimeMs: 1_001, proof: 'p2' }];
    const record = (key: string, value: string) => ({ key: Buffer.from(key), value: Buffer.from(value), headers: [] });
    await log.append(TOPIC, 0, [
      record('e/a', `3 2 ${S} 0 1000 "a@0"`),
      record('e/b', `3 2 ${S} 1 1001 "b@1"`),
      record('progress', `3 2 ${JSON.stringify({ complete: true, since, places })}`),
    ]);
    expect(await held()).toEqual({ next: 2, values: { a: '"a@0"', b: '"b@1"' } });
    const writer = await writerOf(4n);
    writer.add({ changes: [put('b', 2)], places: at(3) });
    await writer.flush();
    expect(await held()).toEqual({ next: 3, values: { a: '"a@0"', b: '"b@2"' } });
  });

  it('holds a value that is too large to go with another record, and steps of several megabytes', async () => {
    const writer = await writerOf(1n);
    const big = JSON.stringify('x'.repeat(950_000));
    writer.add({ changes: [put('kecil', 0), put('besar', 1, big), put('juga', 1, big)], places: at(2) });
    await writer.flush();
    expect(await held()).toEqual({ next: 2, values: { besar: big, juga: big, kecil: '"kecil@0"' } });
  });

  it('of a new beginning does not hold keys of the earlier snapshot in the same topic, and is not read before it is complete', async () => {
    const first = await writerOf(1n);
    first.add({ changes: [put('lama', 0), put('sama', 1)], places: at(2) });
    await first.flush();
    const tail = await readTail(log, TOPIC, 0);
    const deps = { log, topic: TOPIC, partition: 0, epoch: 2n, lingerMs: 5, overwritten: () => Promise.resolve() };
    const again = new SnapshotWriter(deps, tail, false);
    again.add({ changes: [put('sama', 9)], places: at(10) });
    await again.flush();
    expect(await held()).toBe('incomplete');
    again.completed(at(10));
    await again.flush();
    expect(await held()).toEqual({ next: 10, values: { sama: '"sama@9"' } });
  });

  it('coalesces: steps that come while an append is in flight share the next one, and of a key only the last value is written', async () => {
    const writer = await writerOf(1n);
    await writer.flush();
    const before = (await readTail(log, TOPIC, 0)).end;
    for (let n = 0; n < 300; n++) writer.add({ changes: [put(`k${n % 3}`, n)], places: at(n + 1) });
    await writer.flush();
    expect(Number((await readTail(log, TOPIC, 0)).end - before)).toBeLessThanOrEqual(8);
    expect(await held()).toMatchObject({ next: 300 });
  });

  it('lets no more than a bounded number of changes wait (backpressure)', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const slow: Pick<EventLog, 'append' | 'read'> = {
      read: (...a) => log.read(...a),
      append: (...a) => gate.then(() => log.append(...a)),
    };
    const writer = await writerOf(1n, { log: slow });
    let added = 0;
    const producing = (async () => {
      for (; added < 20_000; added += 100) {
        writer.add({
          changes: Array.from({ length: 100 }, (_, i) => put(`k${added + i}`, added)),
          places: at(added + 1),
        });
        await writer.room();
      }
    })();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(writer.waiting).toBeLessThanOrEqual(2_100);
    open();
    await producing;
    await writer.flush();
    expect(writer.waiting).toBe(0);
  });

  it('steps of a store that was set back are held back until the store has reached the snapshot again', async () => {
    const writer = await writerOf(1n);
    writer.add({ changes: [put('a', 5), put('b', 9)], places: at(10) });
    await writer.flush();
    writer.add({ changes: [put('a', 3)], places: at(4) });
    writer.add({ changes: [put('a', 5), put('b', 7)], places: at(8) });
    await writer.flush();
    expect(await held()).toEqual({ next: 10, values: { a: '"a@5"', b: '"b@9"' } });
    writer.add({ changes: [put('b', 9), put('c', 10)], places: at(11) });
    await writer.flush();
    expect(await held()).toEqual({ next: 11, values: { a: '"a@5"', b: '"b@9"', c: '"c@10"' } });
  });
});

describe('a former owner that writes late', () => {
  /** The owner writes the keys again that it is told of. */
  async function late() {
    const zombie = await writerOf(1n);
    zombie.add({ changes: [put('a', 0), put('b', 1)], places: at(2) });
    await zombie.flush();
    const owner = await writerOf(2n);
    owner.add({ changes: [put('a', 2), put('c', 3)], places: at(4) });
    await owner.flush();
    zombie.add({ changes: [put('a', 2, '"kadaluwarsa"')], places: at(3) });
    await zombie.flush();
    return { zombie, owner };
  }

  it('changes nothing for a reader: the values and the place of the newer epoch count', async () => {
    await late();
    expect(await held()).toEqual({ next: 4, values: { a: '"a@2"', b: '"b@1"', c: '"c@3"' } });
  });

  it('is told to the owner with the keys at its next append or look, and stops when it finds the newer epoch', async () => {
    const { zombie, owner } = await late();
    owner.add({ changes: [put('d', 4)], places: at(5) });
    await owner.flush();
    expect(owner.found).toEqual(['a']);
    expect(zombie.stopped).toBe(true);
    const another = await writerOf(1n);
    another.add({ changes: [put('b', 6, '"kadaluwarsa"')], places: at(7) });
    await another.flush();
    await owner.look((await readTail(log, TOPIC, 0)).end);
    expect(owner.found).toEqual(['a', 'b']);
  });

  it('makes the snapshot unusable once compaction has kept its value, until the owner has written the key again', async () => {
    const { owner } = await late();
    await log.maintain();
    expect(await held()).toBe('late_write');
    owner.add({ changes: [put('d', 4)], places: at(5) });
    await owner.flush();
    expect(owner.found).toEqual(['a']);
    owner.add({ changes: [put('a', 2)], places: at(5) });
    await owner.flush();
    expect(await held()).toEqual({ next: 5, values: { a: '"a@2"', b: '"b@1"', c: '"c@3"', d: '"d@4"' } });
    await log.maintain();
    expect(await held()).toEqual({ next: 5, values: { a: '"a@2"', b: '"b@1"', c: '"c@3"', d: '"d@4"' } });
  });
});
