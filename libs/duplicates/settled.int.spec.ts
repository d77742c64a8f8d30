import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import type { EventLog, ReadLimits } from '#log';
import type { CatalogueIndex } from '#registry';
import type { State } from '#state';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { INDEX_VIEW, openCopies, openSettled, SETTLED_TOPIC } from './index.js';

let catalogue: CatalogueIndex;
let stage: Stage;
beforeAll(() => {
  catalogue = catalogueOfFiles(2);
});
afterEach(() => stage.close());

const ban = (id: string) =>
  recordOf(catalogue, { type: 'imigrasi.cegah.ditetapkan', data: { nomorCekal: 'C-1', jenis: 'cegah' }, id });
const PART = { stream: 'imigrasi.cegah', partition: 0 };

describe('settled ends', () => {
  it('are ready once the index has passed the log end of the start, and a new end ends the waiting for it', async () => {
    stage = new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif'));
    await stage.open();
    await stage.append([ban('a'), ban('b')]);
    const settled = await openSettled({
      log: stage.log,
      state: stage.state,
      copies: stage.copies,
      streams: stage.streams,
    });
    expect([settled.ready, await settled.waitFor(PART.stream, 0, 2n, 0)]).toEqual([false, 0n]);
    const waiting = settled.waitFor(PART.stream, 0, 2n, 20_000);
    await stage.project();
    expect(await waiting).toBe(2n);
    await until(() => settled.ready);
    expect(await settled.waitFor(PART.stream, 0, 3n, 20)).toBe(2n);
    await settled.close();
  });

  it('cost one question to the store in 20 ms for all who wait, however many they are', async () => {
    let questions = 0;
    const began = performance.now();
    stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif')).open();
    const state = new Proxy(stage.state, {
      get: (t, name) => {
        const value: unknown = Reflect.get(t, name);
        if (name !== 'positions') return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
        return (...args: Parameters<State['positions']>) => (questions++, t.positions(...args));
      },
    });
    const settled = await openSettled({ log: stage.log, state, copies: stage.copies, streams: stage.streams });
    const waits = Array.from({ length: 500 }, (_, i) => settled.waitFor(PART.stream, i % 2, BigInt(i + 1), 300));
    await Promise.all(waits);
    expect(questions).toBeGreaterThan(0);
    expect(questions).toBeLessThanOrEqual(1 + (performance.now() - began) / 20);
    await settled.close();
  });

  it('come from the topic while the state store is unavailable', async () => {
    stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif')).open();
    await stage.append([ban('a'), ban('b')]);
    await stage.project();
    await stage.untilCaughtUp();
    await stage.copies.writeEnds();
    const away = new Proxy(stage.state, {
      get: (_t, name) => (name === 'connection' ? () => 0 : () => Promise.reject(new Error('away'))),
    });
    const copies = await openCopies(stage.log);
    const settled = await openSettled({ log: stage.log, state: away, copies, streams: stage.streams });
    expect([settled.end(PART.stream, 0), settled.ready]).toEqual([2n, true]);
    await settled.close();
    await copies.close();
  });

  it('and copies do not survive their topic in a process without a projector, and the kept state store cannot raise them again', async () => {
    stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif')).open();
    const one = ban('sama');
    await stage.append([one, one, ban('b')]);
    await stage.project();
    await stage.untilCaughtUp();
    await stage.projector!.close();
    stage.projector = undefined;
    const { log, state, streams } = stage;
    const copies = await openCopies(log);
    const settled = await openSettled({ log, state, copies, streams });
    await until(() => settled.end(PART.stream, 0) === 3n && settled.originalOf(PART.stream, 0, 1n) === 0n);
    await log.deleteTopic(PART.stream);
    const { partitions } = catalogue.stream(PART.stream)!;
    await log.ensureTopic({ name: PART.stream, partitions, cleanup: 'keep' });
    await stage.append([ban('c'), ban('d')]);
    const read = await log.read(PART.stream, 0, 0n);
    const { topicId } = read as { topicId: string };
    expect(await settled.waitFor(PART.stream, 0, 1n, 200, topicId)).toBe(0n);
    expect(settled.originalOf(PART.stream, 0, 1n)).toBeUndefined();
    await stage.project();
    expect(await settled.waitFor(PART.stream, 0, 2n, 20_000, topicId)).toBe(2n);
    expect(settled.originalOf(PART.stream, 0, 1n)).toBeUndefined();
    await settled.close();
    await copies.close();
  });

  it('are visible in another process only after the copies below them', async () => {
    const order: string[] = [];
    const wrapLog = (l: EventLog): EventLog =>
      new Proxy(l, {
        get: (t, name) => {
          const value: unknown = Reflect.get(t, name);
          if (name !== 'read') return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
          return async (topic: string, partition: number, from: bigint, limits: ReadLimits = {}) => {
            // The long poll of the follower stays away, so that only what the settled end itself reads can make the copies known.
            if (topic === SETTLED_TOPIC && limits.signal) await pause(60_000, limits.signal);
            const read = await t.read(topic, partition, from, limits);
            if (topic === SETTLED_TOPIC) order.push('copies read');
            return read;
          };
        },
      });
    stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif')).open();
    const other = await openCopies(wrapLog(stage.log));
    const asked = new Proxy(stage.state, {
      get: (t, name) => {
        const value: unknown = Reflect.get(t, name);
        if (name !== 'positions') return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
        return async (...args: Parameters<State['positions']>) => {
          const found = await t.positions(...args);
          if (args[0] === INDEX_VIEW && found[0]) order.push('position seen');
          return found;
        };
      },
    });
    const settled = await openSettled({ log: stage.log, state: asked, copies: other, streams: stage.streams });
    const one = ban('sama');
    await stage.append([one, one]);
    await stage.project();
    order.length = 0;
    expect(await settled.waitFor(PART.stream, 0, 2n, 20_000)).toBe(2n);
    expect(settled.originalOf(PART.stream, 0, 1n)).toBe(0n);
    expect(order.slice(-2)).toEqual(['position seen', 'copies read']);
    await settled.close();
    await other.close();
  });
});
