import { describe, expect, it, jest } from '@jest/globals';
import { Appender } from './appender.js';
import type { AppendOutcome, NewRecord } from './port.js';

const record = (text: string): NewRecord => ({ key: Buffer.from('k'), value: Buffer.from(text), headers: [] });
const texts = (records: readonly NewRecord[]): string[] => records.map((r) => r.value!.toString());

/** A log that holds every append open until the test answers it. */
function scripted() {
  const calls: { records: string[]; bytes: number | undefined; answer: (a: AppendOutcome) => void }[] = [];
  const wanted: { n: number; done: () => void }[] = [];
  return {
    calls,
    append: (
      _topic: string,
      _partition: number,
      records: readonly NewRecord[],
      bytes?: number,
    ): Promise<AppendOutcome> =>
      new Promise((answer) => {
        calls.push({ records: texts(records), bytes, answer });
        for (const w of wanted) if (calls.length >= w.n) w.done();
      }),
    called: (n: number): Promise<void> =>
      new Promise((done) => {
        if (calls.length >= n) done();
        else wanted.push({ n, done });
      }),
  };
}
const accepted = (base: bigint): AppendOutcome => ({ kind: 'accepted', base, appendTimeMs: 1 });

describe('an appender', () => {
  it('sends at once when nothing is in flight, and coalesces what arrives meanwhile into the next append, in order', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const first = appender.append('t', 0, [record('a')]);
    await log.called(1);
    const later = [appender.append('t', 0, [record('b'), record('c')]), appender.append('t', 0, [record('d')])];
    log.calls[0]!.answer(accepted(10n));
    expect(await first).toEqual({ kind: 'accepted', base: 10n, appendTimeMs: 1 });
    await log.called(2);
    expect(log.calls[1]!.records).toEqual(['b', 'c', 'd']);
    log.calls[1]!.answer(accepted(11n));
    expect((await Promise.all(later)).map((o) => (o.kind === 'accepted' ? o.base : o.kind))).toEqual([11n, 13n]);
    expect(appender.waiting).toEqual({ records: 0, bytes: 0 });
  });

  it('keeps the records of a request together and cuts an append at 500 records', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const many = (n: number): NewRecord[] => Array.from({ length: n }, (_, i) => record(String(i)));
    const all = [appender.append('t', 0, many(300)), appender.append('t', 0, many(300))];
    await log.called(1);
    expect(log.calls[0]!.records.length).toBe(300);
    log.calls[0]!.answer(accepted(0n));
    await log.called(2);
    log.calls[1]!.answer(accepted(300n));
    await Promise.all(all);
    expect(await appender.append('t', 0, many(501))).toMatchObject({ kind: 'refused', code: 'record_too_large' });
  });

  it('sends an uncertain batch again before anything newer, as long as a caller waits for it', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const a = appender.append('t', 0, [record('a')]);
    await log.called(1);
    const b = appender.append('t', 0, [record('b')]);
    log.calls[0]!.answer({ kind: 'uncertain' });
    await log.called(2);
    expect(log.calls[1]!.records).toEqual(['a']);
    log.calls[1]!.answer(accepted(5n));
    expect((await a).kind).toBe('accepted');
    await log.called(3);
    expect(log.calls[2]!.records).toEqual(['b']);
    log.calls[2]!.answer(accepted(6n));
    await b;
  });

  it('answers uncertain when the resend of an uncertain batch is refused, because the first try may have been written', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const outcome = appender.append('t', 0, [record('a')]);
    await log.called(1);
    log.calls[0]!.answer({ kind: 'uncertain' });
    await log.called(2);
    const cause = new Error('the log was closed');
    log.calls[1]!.answer({ kind: 'refused', code: 'log_unavailable', cause });
    expect(await outcome).toEqual({ kind: 'uncertain', cause });
    expect(appender.waiting).toEqual({ records: 0, bytes: 0 });
  });

  it('drops a request that was never sent at its deadline, and answers uncertain for one in flight', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const log = scripted();
      const appender = new Appender(log);
      const sent = appender.append('t', 0, [record('a')], { timeoutMs: 100 });
      await log.called(1);
      const unsent = appender.append('t', 0, [record('b')], { timeoutMs: 100 });
      jest.advanceTimersByTime(101);
      expect([await sent, await unsent]).toMatchObject([
        { kind: 'uncertain' },
        { kind: 'refused', code: 'not_durable' },
      ]);
      log.calls[0]!.answer({ kind: 'uncertain' });
      const next = appender.append('t', 0, [record('c')]);
      await log.called(2);
      expect(log.calls[1]!.records).toEqual(['c']);
      log.calls[1]!.answer(accepted(0n));
      expect((await next).kind).toBe('accepted');
    } finally {
      jest.useRealTimers();
    }
  });

  it('gives the log the size of the records: as the caller has measured it, else measured once', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const one = appender.append('t', 0, [record('abc')]);
    await log.called(1);
    const two = [
      appender.append('t', 0, [record('d')], { bytes: 1_000 }),
      appender.append('t', 0, [record('ef')], { bytes: 2_000 }),
    ];
    log.calls[0]!.answer(accepted(0n));
    await log.called(2);
    expect(log.calls.map((c) => c.bytes)).toEqual([4, 3_000]);
    log.calls[1]!.answer(accepted(1n));
    await Promise.all([one, ...two]);
  });

  it('refuses at once with queue_full what would pass the byte bound', async () => {
    const log = scripted();
    const appender = new Appender(log, { maxWaitingBytes: 300 });
    const first = appender.append('t', 0, [record('x'.repeat(200))]);
    expect(await appender.append('t', 0, [record('y'.repeat(200))])).toMatchObject({
      kind: 'refused',
      code: 'queue_full',
    });
    await log.called(1);
    log.calls[0]!.answer(accepted(0n));
    await first;
  });

  it('does not let one partition wait for another', async () => {
    const log = scripted();
    const appender = new Appender(log);
    void appender.append('t', 0, [record('slow')]);
    const other = appender.append('t', 1, [record('quick')]);
    await log.called(2);
    log.calls[1]!.answer(accepted(0n));
    expect((await other).kind).toBe('accepted');
    log.calls[0]!.answer(accepted(0n));
  });
});
