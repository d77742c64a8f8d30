import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, defineEvent } from '#sdk';
import { recordingHub, type SentEvent, type Verdict } from '../../test/kit/recording-hub.js';
import { OutboxFile } from './file.js';
import {
  createPublisher,
  type OutboxFault,
  type OutboxPublisher,
  type OutboxPublisherOptions,
  type QueuedEvent,
} from './index.js';
import { loadSqlite } from './sqlite.js';

let dir: string;
let file: string;
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-outbox-'));
  file = join(dir, 'outbox.sqlite');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true, force: true });
});

const AS = { key: 'k1', owner: 'SU00123', system: 'simkim' };
const SOURCE = 'urn:simpul:unit:SU00123:simkim';
/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9';

type More = Partial<OutboxPublisherOptions>;
function open(url: string, more: More = {}): OutboxPublisher {
  const connection = connect({ url, timeoutMs: 2_000, retry: { firstMs: 1, maxMs: 5 } });
  const publisher = createPublisher({ ...AS, connection, outbox: file, ...more });
  closing.push(
    () => connection.close(),
    () => publisher.close(),
  );
  return publisher;
}
async function hubWith(verdict?: (event: SentEvent) => Verdict) {
  const hub = await recordingHub(verdict);
  closing.push(hub.close);
  return hub;
}
const fact = (no: string, n = 0) => ({
  type: 'imigrasi.paspor.diterbitkan',
  data: { nomorPermohonan: no, n },
  orderingKey: no,
});
const numbersOf = (events: readonly SentEvent[], no: string): number[] =>
  events.filter((e) => e.data['nomorPermohonan'] === no).map((e) => e.data['n'] as number);
const faultOf = (work: () => unknown): Promise<OutboxFault> =>
  Promise.resolve()
    .then(work)
    .then(
      () => Promise.reject(new Error('no fault')),
      (e: OutboxFault) => e,
    );

describe('publish with an outbox', () => {
  it('says queued without a hub; the next run sends the same events in their order, with numbers that go on', async () => {
    const first = open(NOWHERE);
    const queued = await Promise.all([0, 1, 2].map((n) => first.publish(fact('P-1', n))));
    expect(queued.map((q) => [q.status, q.source])).toEqual([0, 1, 2].map(() => ['queued', SOURCE]));
    expect(first.status()).toMatchObject({ queued: 3, refused: 0, lastReceipt: undefined });
    expect(Date.now() - first.status().oldest!.getTime()).toBeLessThan(60_000);
    const { outcome } = queued[0]!;
    await first.close();
    expect(await outcome).toMatchObject({ ok: false, fault: { code: 'outbox_closed', retryable: true } });

    const hub = await hubWith();
    const second = open(hub.url);
    expect(second.status().queued).toBe(3);
    await second.publish(fact('P-1', 3));
    await second.flush();
    expect(hub.events.map((e) => [e.id, e.data['n'], e.urutanunit]).slice(0, 3)).toEqual(
      queued.map((q, n) => [q.id, n, String(n + 1)]),
    );
    expect(hub.events.map((e) => e.urutanunit)).toEqual(['1', '2', '3', '4']);
    expect(second.status()).toMatchObject({ queued: 0, bytes: 0, oldest: undefined });
  });

  it('gives the receipt of the hub as the outcome, and tells it of events of an earlier run too', async () => {
    const first = open(NOWHERE);
    await first.publish(fact('P-1', 1));
    await first.close();
    const hub = await hubWith();
    const told: unknown[] = [];
    const publisher = open(hub.url, { report: { accepted: (e, r) => told.push([e.data['n'], r.duplicate]) } });
    const { id, outcome } = await publisher.publish(fact('P-2', 2));
    expect(await outcome).toMatchObject({ ok: true, receipt: { id, duplicate: false } });
    await publisher.flush();
    expect(told.toSorted()).toEqual([
      [1, false],
      [2, false],
    ]);
    expect(publisher.status().lastReceipt?.receipt.position).toMatch(/^imigrasi\.paspor\/0\//);
  });

  it('takes the token of an event type with data, and refuses data that does not fit before it is queued', async () => {
    const hub = await hubWith();
    const publisher = open(hub.url);
    const schema = JSON.stringify({ type: 'record', name: 'Uji', fields: [{ name: 'n', type: 'long' }] });
    const token = defineEvent<{ n: bigint }>({
      ...{ type: 'uji.contoh.dibuat', stream: 'uji.contoh', version: 1, schema },
      longs: 'bigint',
    });
    const { outcome, id } = await publisher.publish(token, { n: 2n ** 60n }, { id: 'mine', urgent: true });
    expect([(await outcome).ok, id, hub.events[0]?.data]).toEqual([true, 'mine', { n: String(2n ** 60n) }]);
    expect(hub.events[0]).toMatchObject({ type: token.type, dataschema: 'urn:simpul:schema:uji.contoh.dibuat:1' });
    const wrong = await faultOf(() => publisher.publish(token, { n: 'x' } as unknown as { n: bigint }));
    expect(wrong).toMatchObject({
      name: 'SdkFault',
      code: 'schema_mismatch',
      problem: { errors: [{ pointer: '/data/n' }] },
    });
    expect(publisher.status().queued).toBe(0);
  });

  it('sends an event again, with its id, after a broken connection behind its recording: it has one effect', async () => {
    let cuts = 0;
    const hub = await hubWith(() => (cuts++ < 3 ? 'cut' : 'ok'));
    const publisher = open(hub.url);
    const { outcome } = await publisher.publish(fact('P-1', 1));
    expect(await outcome).toMatchObject({ ok: true, receipt: { duplicate: true } });
    expect([hub.events.length, hub.requests.length]).toEqual([1, 4]);
  });

  it.each(['go on', 'stop'] as const)(
    'sends no later event of a key while the outcome of an earlier one is uncertain, and events of others (%s)',
    async (whenRefused) => {
      let down = true;
      const hub = await hubWith((e) =>
        down && e.data['nomorPermohonan'] === 'P-1' ? { status: 503, code: 'not_durable' } : 'ok',
      );
      const publisher = open(hub.url, { whenRefused });
      await publisher.publish(fact('P-1', 0));
      await Promise.all([1, 2, 3].map((n) => publisher.publish(fact('P-1', n))));
      const others = await Promise.all([1, 2].map((n) => publisher.publish(fact('P-2', n))));
      for (const { outcome } of others) expect((await outcome).ok).toBe(true);
      expect(numbersOf(hub.events, 'P-1')).toEqual([]);
      down = false;
      await publisher.flush();
      expect(numbersOf(hub.events, 'P-1')).toEqual([0, 1, 2, 3]);
    },
  );

  it('sends urgent events first, behind the earlier events of their key only', async () => {
    const first = open(NOWHERE);
    await Promise.all([0, 1, 2, 3].map((n) => first.publish(fact(`P-${n}`, n))));
    await first.publish(fact('P-2', 4), { urgent: true });
    await first.close();
    const hub = await hubWith();
    await open(hub.url, { whenRefused: 'stop' }).flush();
    expect(hub.requests[0]!.body.split('\n').map((l) => (JSON.parse(l) as SentEvent).data['n'])[0]).toBe(2);
    expect(numbersOf(hub.events, 'P-2')).toEqual([2, 4]);
  });

  it('queues the same event once, and refuses another one with its id', async () => {
    const publisher = open(NOWHERE);
    const ids = await Promise.all([1, 1].map(() => publisher.publish({ ...fact('P-1'), id: 'x' })));
    expect([ids.map((q) => q.id), publisher.status().queued]).toEqual([['x', 'x'], 1]);
    expect(await faultOf(() => publisher.publish({ ...fact('P-2'), id: 'x' }))).toMatchObject({
      code: 'outbox_id_reused',
    });
    expect(publisher.status()).toMatchObject({ queued: 1, waiting: 0 });
  });

  it('refuses what is no event, in words, and queues nothing', async () => {
    const publisher = open(NOWHERE);
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    for (const bad of [
      { ...fact('P'), type: 'paspor' },
      { ...fact('P'), data: cyclic },
      { ...fact('P'), data: { n: 1n } },
    ])
      expect(await faultOf(() => publisher.publish(bad))).toMatchObject({
        name: 'OutboxFault',
        code: 'outbox_invalid_event',
      });
    expect(publisher.status().queued).toBe(0);
  });
});

describe('an event that the hub refuses', () => {
  const refusing = (e: SentEvent): Verdict => (e.data['n'] === 13 ? { status: 422, code: 'schema_mismatch' } : 'ok');

  it('is kept aside with its fault, its number is used again, and later events of its key go on', async () => {
    const hub = await hubWith(refusing);
    const told: unknown[] = [];
    const publisher = open(hub.url, { report: { refused: (e, f) => told.push([e?.data['n'], f.code]) } });
    const bad = await publisher.publish(fact('P-1', 13));
    expect(await bad.outcome).toMatchObject({ ok: false, fault: { code: 'schema_mismatch', status: 422 } });
    await publisher.publish(fact('P-1', 14));
    await publisher.flush();
    expect(hub.events.map((e) => [e.data['n'], e.urutanunit])).toEqual([[14, '1']]);
    expect(publisher.status()).toMatchObject({ queued: 0, refused: 1, lastFault: { code: 'schema_mismatch' } });
    expect(told).toEqual([[13, 'schema_mismatch']]);
    await publisher.close();
    const next = open(hub.url);
    expect(next.refused()).toMatchObject([{ event: { id: bad.id }, fault: { code: 'schema_mismatch' } }]);
    next.drop(bad.id);
    expect([next.status().refused, next.status().bytes, next.refused()]).toEqual([0, 0, []]);
    expect(await faultOf(() => next.drop(bad.id))).toMatchObject({ code: 'outbox_unknown_event' });
  });

  it('stops its key by choice, also after a restart, until it is sent again; others go on', async () => {
    let mended = false;
    const hub = await hubWith((e) => (mended ? 'ok' : refusing(e)));
    const first = open(hub.url, { whenRefused: 'stop' });
    const [bad] = await Promise.all([13, 14, 15].map((n) => first.publish(fact('P-1', n))));
    await bad!.outcome;
    await first.flush();
    expect(first.status()).toMatchObject({ queued: 2, stopped: 2, refused: 1 });
    await first.close();
    const publisher = open(hub.url, { whenRefused: 'stop' });
    expect((await (await publisher.publish(fact('P-2', 1))).outcome).ok).toBe(true);
    await publisher.flush();
    expect(numbersOf(hub.events, 'P-1')).toEqual([]);
    mended = true;
    publisher.retry(bad!.id);
    await publisher.flush();
    expect(numbersOf(hub.events, 'P-1')).toEqual([13, 14, 15]);
    expect(new Set(hub.events.map((e) => e.urutanunit)).size).toBe(4);
    expect(publisher.status()).toMatchObject({ queued: 0, stopped: 0, refused: 0 });
  });

  it.each([
    ['an expired key', { status: 401, code: 'key_expired' }],
    ['a key that may not publish', { status: 403, code: 'forbidden' }],
    ['a key of another system', { status: 403, code: 'source_not_yours' }],
  ])(
    'because of %s is not the one that is wrong: everything waits, and goes on with a new key',
    async (_what, problem) => {
      const hub = await recordingHub((_e, { headers }) => (headers.authorization === 'Bearer k2' ? 'ok' : problem));
      closing.push(hub.close);
      const paused: unknown[] = [];
      const paused1 = Promise.withResolvers<void>();
      const report = { paused: (f: { code: string } | undefined) => (paused.push(f?.code), paused1.resolve()) };
      const publisher = open(hub.url, { report });
      await Promise.all([0, 1, 2].map((n) => publisher.publish(fact('P-1', n))));
      await paused1.promise;
      expect(publisher.status()).toMatchObject({ queued: 3, refused: 0, paused: { code: problem.code } });
      expect(await faultOf(() => publisher.flush({ deadlineMs: 50 }))).toMatchObject({ code: 'outbox_not_settled' });
      publisher.renewKey('k2');
      await publisher.flush();
      expect(numbersOf(hub.events, 'P-1')).toEqual([0, 1, 2]);
      expect(paused).toEqual([problem.code, undefined]);
    },
  );
});

describe('a bounded outbox', () => {
  it('makes publish() wait, faults at the deadline, keeps a tenth for urgent events, and goes on when there is room', async () => {
    let down = true;
    const hub = await hubWith(() => (down ? { status: 503, code: 'not_durable' } : 'ok'));
    const publisher = open(hub.url, { maxEvents: 10 });
    for (let n = 0; n < 9; n++) await publisher.publish(fact('P-1', n));
    const fault = await faultOf(() => publisher.publish(fact('P-1', 98), { deadlineMs: 20 }));
    expect(fault).toMatchObject({ code: 'outbox_full', retryable: true, detail: expect.stringContaining('9/10') });
    await publisher.publish(fact('P-2', 0), { urgent: true });
    const waits = publisher.publish(fact('P-1', 9));
    expect(publisher.status()).toMatchObject({ queued: 10, waiting: 1 });
    down = false;
    expect((await (await waits).outcome).ok).toBe(true);
    await publisher.flush();
    expect(numbersOf(hub.events, 'P-1')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('counts bytes, and refuses an event that never has room at once', async () => {
    const publisher = open(NOWHERE, { maxBytes: 10_000 });
    const large = { ...fact('P-1'), data: { text: 'x'.repeat(5_000) } };
    await publisher.publish(large);
    expect(await faultOf(() => publisher.publish(large, { deadlineMs: 10 }))).toMatchObject({ code: 'outbox_full' });
    expect(await faultOf(() => publisher.publish({ ...large, data: { text: 'x'.repeat(9_000) } }))).toMatchObject({
      code: 'outbox_event_too_large',
    });
    expect(publisher.status().bytes).toBeGreaterThan(5_000);
  });

  it('lets nobody wait for a closed one', async () => {
    const publisher = open(NOWHERE, { maxEvents: 1 });
    await publisher.publish(fact('P-1'));
    const waits = faultOf(() => publisher.publish(fact('P-1')));
    const flushes = faultOf(() => publisher.flush());
    await publisher.close();
    expect([(await waits).code, (await flushes).code]).toEqual(['outbox_closed', 'outbox_closed']);
    expect((await faultOf(() => publisher.publish(fact('P-1')))).code).toBe('outbox_closed');
  });
});

describe('the file of an outbox', () => {
  it('has one user: a second one in this process or another gets outbox_locked, in one line with the remedy', async () => {
    const publisher = open(NOWHERE);
    expect((await faultOf(() => open(NOWHERE))).message).toMatch(
      /^outbox_locked: .*outbox\.sqlite.* \/ .*in use.*[^\n]$/,
    );
    await publisher.publish(fact('P-1'));
    await publisher.close();
    const holder = spawn(
      process.execPath,
      [
        '-e',
        `const d = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(file)}); d.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE; COMMIT; SELECT count(*) FROM events'); console.log('held'); setInterval(() => 0, 1e6);`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    await once(holder.stdout, 'data');
    expect((await faultOf(() => open(NOWHERE))).code).toBe('outbox_locked');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(open(NOWHERE).status().queued).toBe(1);
  });

  it('of another program, of a newer version, of another system, damaged or in no folder is one clear fault', async () => {
    const made = open(NOWHERE);
    for (let n = 0; n < 200; n++) void made.publish(fact('P-1', n));
    await made.publish(fact('P-1', 200));
    await made.close();
    const whole = readFileSync(file);
    const after = async (change: (db: DatabaseSync) => void): Promise<string> => {
      writeFileSync(file, whole);
      const db = new DatabaseSync(file);
      change(db);
      db.close();
      return (await faultOf(() => open(NOWHERE))).code;
    };
    expect(await after((db) => db.exec('PRAGMA application_id=1'))).toBe('outbox_foreign');
    expect(await after((db) => db.exec('PRAGMA user_version=2'))).toBe('outbox_newer');
    expect(await after((db) => db.exec("UPDATE box SET source = 'urn:simpul:unit:SU00001:x'"))).toBe(
      'outbox_other_source',
    );
    writeFileSync(file, 'not a database '.repeat(1_000));
    expect((await faultOf(() => open(NOWHERE))).code).toBe('outbox_corrupt');
    writeFileSync(file, Buffer.concat([whole.subarray(0, 8_192), Buffer.alloc(whole.length - 8_192, 7)]));
    expect((await faultOf(() => open(NOWHERE))).code).toBe('outbox_corrupt');
    file = join(dir, 'none', 'outbox.sqlite');
    expect((await faultOf(() => open(NOWHERE))).code).toBe('outbox_unwritable');
    file = dir;
    expect((await faultOf(() => open(NOWHERE))).code).toBe('outbox_unwritable');
  });

  it('with one damaged event keeps that one aside and sends the others', async () => {
    const first = open(NOWHERE);
    const queued = await Promise.all([0, 1, 2].map((n) => first.publish(fact('P-1', n))));
    await first.close();
    const db = new DatabaseSync(file);
    db.exec(`UPDATE events SET event = replace(event, '"n":1', '"n":7') WHERE id = '${queued[1]!.id}'`);
    db.close();
    const hub = await hubWith();
    const publisher = open(hub.url);
    await publisher.flush();
    expect(numbersOf(hub.events, 'P-1')).toEqual([0, 2]);
    expect(publisher.refused()).toMatchObject([{ fault: { code: 'outbox_corrupt' } }]);
  });

  it('on a full disk refuses to queue, loses nothing, and goes on when there is space again', async () => {
    const box = OutboxFile.open(file, SOURCE, 30);
    const rows = Array.from({ length: 100 }, (_, n) => ({
      event: {
        ...fact('P-1', n),
        id: `e${n}`,
        source: SOURCE,
        time: '2026-01-01T00:00:00Z',
        data: { text: 'x'.repeat(2_000) },
      },
      ...{ key: 'k', urgent: false, queued: n },
    }));
    const seqs: number[] = [];
    let code: string | undefined;
    for (const row of rows) {
      try {
        const [result] = box.insert([row]);
        if (result?.kind === 'queued') seqs.push(result.item.seq);
      } catch (e) {
        ({ code } = e as OutboxFault);
        break;
      }
    }
    expect([code, seqs.length > 5, box.items().queued.length]).toEqual(['outbox_disk_full', true, seqs.length]);
    box.settle(seqs.map((seq) => ({ seq })));
    const [again] = box.insert([rows[99]!]);
    expect(box.load((again as { item: { seq: number } }).item.seq)?.extensions?.['urutanunit']).toBe(
      String(seqs.length + 1),
    );
    box.close();
  });

  it('needs node:sqlite: without it there is one line that names the version of Node to use', () => {
    const missing = (): never => {
      throw Object.assign(new Error('No such built-in module: node:sqlite'), { code: 'ERR_UNKNOWN_BUILTIN_MODULE' });
    };
    expect(() => loadSqlite(missing)).toThrow(/^outbox_unsupported: .*22\.13.* \/ .*22\.13/);
  });
});

describe('a hub that is gone for a day', () => {
  it('finds everything in order when it is back, also what was queued last, and nothing twice', async () => {
    const publisher = open(NOWHERE, { now: () => 1_700_000_000_000 });
    const queued: QueuedEvent[] = [];
    for (let round = 0; round < 20; round++)
      queued.push(
        ...(await Promise.all(Array.from({ length: 50 }, (_, i) => publisher.publish(fact(`P-${i}`, round))))),
      );
    await publisher.close();
    let n = 0;
    const hub = await hubWith(() => (n++ % 97 === 0 ? { status: 503, code: 'not_durable' } : 'ok'));
    const later = open(hub.url, { now: () => 1_700_000_000_000 + 86_400_000 });
    expect(later.status().queued).toBe(1_000);
    await later.flush();
    expect(new Set(hub.events.map((e) => e.id))).toEqual(new Set(queued.map((q) => q.id)));
    for (let i = 0; i < 50; i++)
      expect(numbersOf(hub.events, `P-${i}`)).toEqual(Array.from({ length: 20 }, (_, r) => r));
  });
});
