import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { INDEX_VIEW, SETTLED_TOPIC, type BadRecord } from '#duplicates';
import { Fault } from '#faults';
import type { EventLog, GroupMember } from '#log';
import type { CatalogueIndex } from '#registry';
import type { State } from '#state';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { interposed, Stage, until, type StageOptions } from '../../test/kit/projection/stage.js';
import { traffic, TRAFFIC_VIEWS } from '../../test/kit/projection/traffic.js';
import { random } from '../../test/kit/random.js';
import { digestOfView, requestRebuild, storageOf, type AuditView, type CompiledView } from './index.js';
import { Projector } from './projector.js';

let catalogue: CatalogueIndex;
let views: CompiledView[];
let stage: Stage;

beforeAll(() => {
  catalogue = catalogueOfFiles(3);
  views = viewsOf(catalogue, ...TRAFFIC_VIEWS);
});
afterEach(() => stage.close());

const open = async (options: StageOptions = {}, some = views): Promise<Stage> =>
  (stage = await new Stage(catalogue, some, options).open());

async function expectPlain(): Promise<void> {
  for (const view of stage.views)
    expect([view.name, await digestOfView(stage.state, view, stage.storage(view))]).toEqual([
      view.name,
      await plainDigest(stage.log, catalogue, view),
    ]);
}

/** A store or log whose calls fail from a moment on, as they do for a process that was killed. */
class Switch {
  down = false;
  calls = 0;
  failAt = Number.POSITIVE_INFINITY;
  wrap<T extends object>(target: T, counted: readonly string[]): T {
    return new Proxy(target, {
      get: (t, name) => {
        const value: unknown = Reflect.get(t, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (counted.includes(String(name)) && ++this.calls >= this.failAt) this.down = true;
          if (this.down && !['close', 'connection', 'evictions'].includes(String(name)))
            return Promise.reject(new Error('killed'));
          return (value as (...a: unknown[]) => unknown).apply(t, args);
        };
      },
    });
  }
}

describe('the projector', () => {
  it('gives the result of a plain fold of the log: copies once, foreign records never', async () => {
    await open();
    const bad: BadRecord[] = [];
    let copies = 0;
    await stage.append(traffic(catalogue, 1, 1_500));
    await stage.project({ report: { badRecord: (b) => bad.push(b), copies: (_s, _p, n) => (copies += n) } });
    await stage.append(traffic(catalogue, 2, 500));
    await stage.untilCaughtUp();
    await expectPlain();
    expect(bad.length).toBeGreaterThan(5);
    expect(new Set(bad.map((b) => b.code))).toEqual(new Set(['foreign_record']));
    expect(copies).toBeGreaterThan(50);
  });

  it('gives the same digest after each of ten crashes between commits', async () => {
    const kill = new Switch();
    const wrapState = (s: State): State => kill.wrap(s, ['commit', 'putFirst']);
    const wrapLog = (l: EventLog): EventLog => kill.wrap(l, []);
    await open({ wrapState, wrapLog });
    const next = random(99);
    for (let crash = 1; crash <= 10; crash++) {
      kill.down = false;
      kill.failAt = Number.POSITIVE_INFINITY;
      await stage.append(traffic(catalogue, crash, 400));
      kill.calls = 0;
      kill.failAt = 3 + Math.floor(next() * 40);
      await stage.project().catch(() => undefined);
      await until(() => kill.down);
      await stage.shut();
      kill.down = false;
      kill.failAt = Number.POSITIVE_INFINITY;
      await stage.open();
    }
    await stage.project();
    await stage.untilCaughtUp();
    await expectPlain();
  }, 240_000);

  it('leaves the group at close() also while join() is in flight: no start() or batch() is called after close()', async () => {
    let calls = 0;
    let counted = false;
    const counting = (member: GroupMember): GroupMember => {
      if (counted) return member;
      counted = true;
      return {
        ...member,
        start: (at) => (calls++, member.start(at)),
        batch: (at, batch, signal) => (calls++, member.batch(at, batch, signal)),
      };
    };
    const wrapLog = (log: EventLog): EventLog =>
      new Proxy(log, {
        get: (t, name) => {
          if (name === 'join')
            return (group: string, topics: readonly string[], member: GroupMember) =>
              t.join(group, topics, counting(member));
          const value: unknown = Reflect.get(t, name);
          return typeof value === 'function' ? (value.bind(t) as unknown) : value;
        },
      });
    await open({ wrapLog });
    const first = await stage.prepareProjector();
    const joining = first.join();
    await first.close();
    const before = calls;
    await joining;
    await stage.append(traffic(catalogue, 5, 500));
    await stage.project();
    await stage.untilCaughtUp();
    expect(counted).toBe(true);
    expect(calls).toBe(before);
    await expectPlain();
  });

  it('changes nothing when a batch comes again, in part or overlapping', async () => {
    await open();
    await stage.append(traffic(catalogue, 3, 600));
    await stage.project();
    await stage.untilCaughtUp();
    await stage.projector!.close();
    const p = new Projector({ ...stage, now: Date.now });
    const signal = new AbortController().signal;
    const at = {
      topic: 'layanan.kasus',
      topicId: await stage.log.topicId('layanan.kasus'),
      partition: 1,
      epoch: 1_000_000n,
    };
    await p.start(at);
    for (const from of [0n, 17n, 40n]) {
      const read = await stage.log.read(at.topic, at.partition, from, { maxRecords: 50 });
      if (read.kind !== 'records') throw new Error(read.kind);
      const high = read.high;
      expect(await p.batch(at, read, signal)).toEqual({ next: high });
    }
    await expectPlain();
  });

  it('folds again by itself to the same digest when the store was emptied, and no read answers "absent" meanwhile', async () => {
    await open();
    const key = {
      type: 'layanan.kasus.status-berubah',
      data: { nomorKasus: 'K-TETAP', unitPemegang: 'SU00201' },
      id: 'tetap',
    };
    await stage.append([recordOf(catalogue, key), ...traffic(catalogue, 4, 2_500)]);
    await stage.project();
    await stage.untilCaughtUp();
    const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
    const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
    const seen = new Set<string>();
    let done = false;
    const reading = (async () => {
      while (!done) seen.add((await stage.reader.get(steward, board, 'K-TETAP')).kind);
    })();
    stage.emptyStore();
    await until(
      async () =>
        (await stage.state.position(stage.storage(board), { stream: 'layanan.kasus', partition: 0 })) !== undefined,
    );
    await stage.untilCaughtUp();
    done = true;
    await reading;
    await expectPlain();
    expect([...seen].filter((k) => k !== 'entry' && k !== 'rebuilding')).toEqual([]);
    expect(seen).toContain('entry');
    expect((await stage.reader.get(steward, board, 'TIDAK-ADA')).kind).toBe('absent');
  });

  it('moves its position past a copy only after the copy is listed durably', async () => {
    let fail = false;
    const wrapLog = (l: EventLog): EventLog =>
      new Proxy(l, {
        get: (t, name) => {
          const value: unknown = Reflect.get(t, name);
          if (name === 'append')
            return (topic: string, ...rest: [number, never[]]) =>
              fail && topic === SETTLED_TOPIC ? Promise.resolve({ kind: 'uncertain' }) : t.append(topic, ...rest);
          return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
        },
      });
    await open({ wrapLog });
    const one = recordOf(catalogue, {
      type: 'imigrasi.cegah.ditetapkan',
      data: { nomorCekal: 'C-1', jenis: 'cegah' },
      id: 'sama',
    });
    await stage.append([one, one]);
    const p = new Projector({ ...stage, now: Date.now });
    for (const v of views) await stage.generations.change(v.name, () => ({ serving: 1, fingerprint: v.fingerprint }));
    const at = { topic: one.stream, topicId: await stage.log.topicId(one.stream), partition: 0, epoch: 1n };
    const part = { stream: one.stream, partition: 0 };
    await p.start(at);
    fail = true;
    const read = await stage.log.read(one.stream, 0, 0n);
    if (read.kind !== 'records') throw new Error(read.kind);
    const signal = new AbortController().signal;
    await expect(p.batch(at, read, signal)).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(await stage.state.position(INDEX_VIEW, part)).toBeUndefined();
    expect(await stage.state.position(storageOf('imigrasi.cegah-aktif', 1), part)).toMatchObject({ next: 0n });
    fail = false;
    expect(await p.batch(at, read, signal)).toEqual({ next: 2n });
    expect(stage.settled.originalOf(one.stream, 0, 1n)).toBe(0n);
    await p.close();
  });

  it('a member with an older epoch is fenced: it writes nothing and claims again', async () => {
    await open();
    for (const v of views) await stage.generations.change(v.name, () => ({ serving: 1, fingerprint: v.fingerprint }));
    await stage.append(traffic(catalogue, 5, 300));
    const zombie = new Projector({ ...stage, now: Date.now });
    const owner = new Projector({ ...stage, now: Date.now });
    const reclaimed: number[] = [];
    zombie.joined({ reclaim: (p: number) => (reclaimed.push(p), Promise.resolve(false)) } as never);
    const topicId = await stage.log.topicId('layanan.kasus');
    const at = (epoch: bigint) => ({ topic: 'layanan.kasus', topicId, partition: 0, epoch });
    const signal = new AbortController().signal;
    const batch = async (n: number) => {
      const read = await stage.log.read('layanan.kasus', 0, 0n, { maxRecords: n });
      if (read.kind !== 'records') throw new Error(read.kind);
      return read;
    };
    await zombie.start(at(1n));
    await zombie.batch(at(1n), await batch(3), signal);
    await owner.start(at(2n));
    await owner.batch(at(2n), await batch(5), signal);
    const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
    const before = await digestOfView(stage.state, board, stage.storage(board));
    await zombie.batch(at(1n), await batch(20), signal);
    expect(reclaimed).toEqual([0]);
    expect(await digestOfView(stage.state, board, stage.storage(board))).toBe(before);
    await zombie.close();
    await owner.close();
  });

  it('a batch that was read before the store was set back leaves no hole', async () => {
    await open();
    for (const v of views) await stage.generations.change(v.name, () => ({ serving: 1, fingerprint: v.fingerprint }));
    await stage.append(traffic(catalogue, 9, 400));
    const p = new Projector({ ...stage, now: Date.now });
    const at = { topic: 'layanan.kasus', topicId: await stage.log.topicId('layanan.kasus'), partition: 0, epoch: 1n };
    const signal = new AbortController().signal;
    const read = async (from: bigint, maxRecords: number) => {
      const batch = await stage.log.read(at.topic, 0, from, { maxRecords });
      if (batch.kind !== 'records') throw new Error(batch.kind);
      return batch;
    };
    await p.start(at);
    expect(await p.batch(at, await read(0n, 20), signal)).toEqual({ next: 20n });
    const waiting = await read(20n, 20);
    stage.emptyStore();
    await p.verify();
    expect(await p.batch(at, waiting, signal)).toEqual({ next: 0n });
    expect(await stage.state.position(INDEX_VIEW, { stream: at.topic, partition: 0 })).toBeUndefined();
    await p.close();
  });

  it('a copy that comes while the store is emptied is still a copy afterwards', async () => {
    await open({}, viewsOf(catalogue, 'layanan.kasus-jumlah'));
    for (const v of stage.views)
      await stage.generations.change(v.name, () => ({ serving: 1, fingerprint: v.fingerprint }));
    const step = (id: string, nomorKasus: string) =>
      recordOf(catalogue, { type: 'layanan.kasus.status-berubah', data: { nomorKasus, statusBaru: 'selesai' }, id });
    const first = step('sama', 'K-1');
    const other = step('sama', 'K-1');
    const at = {
      topic: first.stream,
      topicId: await stage.log.topicId(first.stream),
      partition: first.partition,
      epoch: 1n,
    };
    const signal = new AbortController().signal;
    const p = new Projector({ ...stage, now: Date.now });
    const from = async (offset: bigint) => {
      const read = await stage.log.read(at.topic, at.partition, offset);
      if (read.kind !== 'records') throw new Error(read.kind);
      return p.batch(at, read, signal);
    };
    await p.start(at);
    await stage.append([first]);
    expect(await from(0n)).toEqual({ next: 1n });
    stage.emptyStore();
    await stage.append([other]);
    expect(await from(1n)).toEqual({ next: 0n });
    await until(async () => (await from(0n)).next === 2n);
    expect(stage.copies.originalOf(at.topic, at.partition, 1n)).toBe(0n);
    await stage.append([other]);
    expect(await from(2n)).toEqual({ next: 3n });
    expect(stage.copies.originalOf(at.topic, at.partition, 2n)).toBe(0n);
    await until(() =>
      expectPlain().then(
        () => true,
        () => false,
      ),
    );
    await p.close();
  });

  it('a copy is still a copy when the store lost index entries over a reconnect and kept its positions', async () => {
    let connections = 1;
    const wrapState = (s: State): State =>
      new Proxy(s, {
        get: (t, name) => {
          if (name === 'connection') return () => connections;
          const value: unknown = Reflect.get(t, name);
          return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
        },
      });
    await open({ wrapState }, viewsOf(catalogue, 'layanan.kasus-jumlah', 'imigrasi.paspor-jejak'));
    const source = 'urn:simpul:unit:SU00100:uji';
    const step = (id: string, statusBaru: string) =>
      recordOf(catalogue, {
        type: 'layanan.kasus.status-berubah',
        data: { nomorKasus: 'K-1', unitPemegang: 'SU00201', statusBaru },
        id,
        source,
      });
    const firsts = [
      step('kasus', 'diajukan'),
      recordOf(catalogue, {
        type: 'imigrasi.paspor.diterbitkan',
        data: { nomorPermohonan: 'P-1' },
        id: 'paspor',
        source,
      }),
    ];
    const [kasus] = await stage.append([...firsts, step('lanjut', 'selesai')]);
    await stage.project();
    await stage.untilCaughtUp();
    stage.loseIndex();
    connections++;
    const copies = await stage.append(firsts);
    await stage.untilCaughtUp();
    for (const [i, { stream, partition }] of firsts.entries())
      expect(stage.copies.originalOf(stream, partition, copies[i]!)).toBe(0n);
    // Folded again, the earlier event would have set the case back, and stood twice in the trail of the passport.
    await expectPlain();
    // The entry is there again and names the first: a repeat at the gateway is answered with the first receipt.
    expect(await stage.state.findFirst([{ source, id: 'kasus' }])).toMatchObject([{ offset: kasus }]);
  });

  it('other content under a used id is an event of its own, and the conflict is published before the position moves past it', async () => {
    const conflicts: string[] = [];
    let failing = 2;
    await open();
    const bill = (nomorCekal: string) =>
      recordOf(catalogue, {
        type: 'imigrasi.cegah.ditetapkan',
        data: { nomorCekal, jenis: 'cegah' },
        id: 'dipakai-dua-kali',
      });
    await stage.append([bill('C-1'), bill('C-2')]);
    await stage.project({
      publishConflicts: async (found) => {
        conflicts.push(...found.map((c) => `${c.position} after ${c.firstPosition}`));
        const at = await stage.state.position(INDEX_VIEW, { stream: 'imigrasi.cegah', partition: 0 });
        expect(at?.next ?? 0n).toBeLessThan(2n);
        if (failing-- > 0) throw new Error('could not be published');
      },
    });
    await stage.untilCaughtUp();
    // Twice in vain: the position waited.
    expect(conflicts).toEqual(Array(3).fill('imigrasi.cegah/0/1 after imigrasi.cegah/0/0'));
    const bans = views.find((v) => v.name === 'imigrasi.cegah-aktif')!;
    const { entries } = await stage.state.scan(stage.storage(bans), 0);
    expect(entries.map((e) => e.key)).toEqual(['C-1', 'C-2']);
  });

  it('makes every read stale from the first read after the store was set back', async () => {
    let older: Awaited<ReturnType<State['read']>> | undefined;
    let setBack = false;
    const wrapState = (state: State): State =>
      new Proxy(state, {
        get: (t, name) => {
          if (name === 'read') return async (...a: Parameters<State['read']>) => (setBack ? older! : t.read(...a));
          const value: unknown = Reflect.get(t, name);
          return typeof value === 'function' ? (value.bind(t) as unknown) : value;
        },
      });
    await open({ wrapState });
    const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
    const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
    const events = traffic(catalogue, 6, 400).filter((r) => r.stream === 'layanan.kasus' && r.partition === 0);
    await stage.append(events.slice(0, 10));
    await stage.project();
    await stage.untilCaughtUp();
    const key = (await stage.state.scan(stage.storage(board), 0, { limit: 1 })).entries[0]!.key;
    older = await stage.state.read(stage.storage(board), 0, [key]);
    await stage.append(events.slice(10));
    await stage.untilCaughtUp();
    const stale = async (): Promise<boolean | string> => {
      const got = await stage.reader.get(steward, board, key);
      return got.kind === 'entry' ? got.entry.stale : got.kind;
    };
    expect(await stale()).toBe(false);
    setBack = true;
    expect(await stale()).toBe(true);
    setBack = false;
    expect(await stale()).toBe(false);
  });

  it('rebuilds a view beside the serving generation: readers never wait, and the old generation is dropped', async () => {
    await open();
    await stage.append(traffic(catalogue, 6, 3_000));
    const audited: unknown[] = [];
    const audit: AuditView = async (a, change) => {
      const untouched = stage.generations.row(a.view) === a.before;
      const after = await change();
      audited.push([a.action, a.by.keyId, untouched, after]);
      return after;
    };
    await stage.project({ audit });
    await stage.untilCaughtUp();
    const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
    const key = (await stage.state.scan(stage.storage(board), 0, { limit: 1 })).entries[0]!.key;
    const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
    const { generations } = stage;
    await requestRebuild({ generations, log: stage.log, audit }, board, steward);
    await expect(requestRebuild({ generations, log: stage.log, audit }, board, steward)).rejects.toMatchObject({
      code: 'conflict',
    });
    const seen = new Set<string>();
    let more = 7;
    while (stage.generations.row(board.name)!.serving === 1) {
      const got = await stage.reader.get(steward, board, key);
      seen.add(got.kind === 'entry' ? `entry ${got.entry.stale}` : got.kind);
      if (more < 9) await stage.append(traffic(catalogue, more++, 100));
    }
    expect([...seen]).toEqual(['entry false']);
    await stage.untilCaughtUp();
    await expectPlain();
    const old = storageOf(board.name, 1);
    await until(async () => (await stage.state.position(old, { stream: 'layanan.kasus', partition: 0 })) === undefined);
    const { fingerprint } = board;
    expect(audited).toEqual([
      ['view.rebuild', 'k', true, { serving: 1, building: 2, fingerprint }],
      ['view.switch', 'hub:projector', true, { serving: 2, fingerprint }],
    ]);
  });

  it('a view that cannot catch up reports each cause once a minute, and goes on when it can', async () => {
    let broken = false;
    let tries = 0;
    const wrapState = (state: State): State =>
      interposed(state, (call, args) => {
        if (!broken || call !== 'position' || !String(args[0]).endsWith('~2')) return undefined;
        tries++;
        throw new TypeError('x is not a function');
      });
    await open({ wrapState });
    const reported: unknown[] = [];
    await stage.append(traffic(catalogue, 6, 500));
    await stage.project({
      report: { catchUpFailed: (view, _part, cause) => reported.push([view, (cause as Error).message]) },
    });
    await stage.untilCaughtUp();
    broken = true;
    await requestRebuild(
      stage,
      views.find((v) => v.name === 'layanan.kasus-papan')!,
      { keyId: 'k', owner: 'hub', system: 'uji' },
    );
    await until(() => tries >= 9);
    expect(reported).toEqual([['layanan.kasus-papan', 'x is not a function']]);
    broken = false;
    await until(() => stage.generations.row('layanan.kasus-papan')?.serving === 2);
    await expectPlain();
  });

  it('a new view is folded by a catch-up reader; a view with another definition is folded again from the start', async () => {
    await open();
    await stage.append(traffic(catalogue, 8, 9_000));
    await stage.shut();
    const before = new Stage(catalogue, viewsOf(catalogue, 'layanan.kasus-jumlah', 'imigrasi.cegah-versi'));
    Object.assign(before, { dir: stage.dir, generations: stage.generations });
    stage = await before.open();
    await stage.project();
    await stage.untilCaughtUp();
    await stage.shut();
    const other = { ...views[0]!, fingerprint: 'another definition' };
    await stage.generations.change('imigrasi.cegah-versi', (row) => ({ ...row!, fingerprint: other.fingerprint }));
    const wider = new Stage(catalogue, views);
    Object.assign(wider, { dir: stage.dir, generations: stage.generations });
    stage = await wider.open();
    const audit: unknown[] = [];
    const refuse = { audit: () => Promise.reject(new Fault('not_durable')) };
    await expect(stage.project(refuse)).rejects.toMatchObject({ code: 'not_durable' });
    expect(stage.generations.row('imigrasi.cegah-versi')?.serving).toBe(1);
    await stage.project({ audit: (a, change) => (audit.push([a.action, a.view, a.by.keyId]), change()) });
    expect(audit).toEqual([['view.switch', 'imigrasi.cegah-versi', 'hub:projector']]);
    expect(stage.generations.row('imigrasi.cegah-versi')?.serving).toBe(2);
    await stage.untilCaughtUp();
    await until(() => stage.projector!.held().every((h) => h.views.every((v) => v.live)));
    await expectPlain();
  });
});
