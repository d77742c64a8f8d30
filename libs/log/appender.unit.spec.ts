import { describe, expect, it, jest } from '@jest/globals';
import { Appender } from './appender.js';
import type { AppendOutcome, NewRecord } from './port.js';

const record = (text: string): NewRecord => ({ key: Buffer.from('k'), value: Buffer.from(text), headers: [] });
const texts = (records: readonly NewRecord[]): string[] => records.map((r) => r.value!.toString());

/** A log that holds every append open until the test answers it. */
function scripted() {
  const calls: {
    records: string[];
    bytes: number | undefined;
    answer: (a: AppendOutcome) => void;
    withdraw: AbortSignal | undefined;
  }[] = [];
  const wanted: { n: number; done: () => void }[] = [];
  return {
    calls,
    append: (
      _topic: string,
      _partition: number,
      records: readonly NewRecord[],
      bytes?: number,
      withdraw?: AbortSignal,
    ): Promise<AppendOutcome> =>
      new Promise((answer) => {
        calls.push({ records: texts(records), bytes, answer, withdraw });
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

  /** A log with a limit of 250 bytes for one append, as max.message.bytes of a topic that the appender does not know. */
  function small(refusal: 'record_too_large' | 'invalid_record' = 'record_too_large') {
    const written: string[] = [];
    let appends = 0;
    return {
      written,
      appends: () => appends,
      append: (_t: string, _p: number, records: readonly NewRecord[]): Promise<AppendOutcome> => {
        appends++;
        const values = texts(records);
        const bad = refusal === 'invalid_record' ? values.includes('bad') : values.join('').length > 250;
        if (bad) return Promise.resolve({ kind: 'refused', code: refusal, limit: 250 });
        const base = BigInt(written.length);
        written.push(...values);
        return Promise.resolve({ kind: 'accepted', base, appendTimeMs: 1 });
      },
    };
  }

  it('halves a merged append that is refused as too large, by requests and in order, until the guilty request stands alone', async () => {
    const log = small();
    const appender = new Appender(log);
    const sizes = [90, 80, 300, 10, 100, 100, 100, 260, 20];
    const values = sizes.map((n, i) => String(i).repeat(n));
    const outcomes = await Promise.all(values.map((v) => appender.append('t', 0, [record(v)])));
    expect(outcomes.map((o) => o.kind)).toEqual(sizes.map((n) => (n > 250 ? 'refused' : 'accepted')));
    expect(outcomes.filter((o) => o.kind === 'refused')).toEqual([
      { kind: 'refused', code: 'record_too_large', limit: 250 },
      { kind: 'refused', code: 'record_too_large', limit: 250 },
    ]);
    expect(log.written).toEqual(values.filter((v) => v.length <= 250));
    expect(outcomes.map((o) => (o.kind === 'accepted' ? log.written[Number(o.base)] : undefined))).toEqual(
      values.map((v) => (v.length > 250 ? undefined : v)),
    );
    expect(appender.waiting).toEqual({ records: 0, bytes: 0 });
  });

  it('a record that the log refuses as invalid reaches its request alone', async () => {
    const log = small('invalid_record');
    const appender = new Appender(log);
    const values = Array.from({ length: 64 }, (_, i) => (i === 41 ? 'bad' : String(i)));
    const outcomes = await Promise.all(values.map((v) => appender.append('t', 0, [record(v)])));
    expect(outcomes.flatMap((o, i) => (o.kind === 'accepted' ? [] : [i]))).toEqual([41]);
    expect(log.written).toEqual(values.filter((v) => v !== 'bad'));
    expect(log.appends()).toBeLessThan(25);
  });

  it('cuts an append at the limit that the log tells for the topic', async () => {
    const log = { ...small(), appendLimit: () => 250 };
    const appender = new Appender(log);
    const outcomes = await Promise.all(
      [1, 2, 3, 4].map((n) => appender.append('t', 0, [record(String(n).repeat(60))])),
    );
    expect(outcomes.every((o) => o.kind === 'accepted')).toBe(true);
    // 60 bytes, 1 of the key and 64 for each record: one append holds two of them
    expect(log.appends()).toBeLessThanOrEqual(3);
  });

  it('withdraws a request whose time is over: refused when it has not left the process, and the others go first in the next append', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const over = appender.append('t', 0, [record('over')], { timeoutMs: 20 });
    const waits = appender.append('t', 0, [record('waits')]);
    await log.called(1);
    const later = appender.append('t', 0, [record('later')]);
    log.calls[0]!.withdraw!.addEventListener('abort', () =>
      log.calls[0]!.answer({ kind: 'refused', code: 'log_unavailable' }),
    );
    expect(await over).toMatchObject({ kind: 'refused', code: 'not_durable' });
    await log.called(2);
    expect(log.calls[1]!.records).toEqual(['waits', 'later']);
    log.calls[1]!.answer(accepted(0n));
    expect((await Promise.all([waits, later])).map((o) => o.kind)).toEqual(['accepted', 'accepted']);
    expect(appender.waiting).toEqual({ records: 0, bytes: 0 });
  });

  it('a withdrawn request stays uncertain when an earlier try of it was uncertain', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const over = appender.append('t', 0, [record('a')], { timeoutMs: 200 });
    await log.called(1);
    log.calls[0]!.answer({ kind: 'uncertain' });
    await log.called(2);
    log.calls[1]!.withdraw!.addEventListener('abort', () =>
      log.calls[1]!.answer({ kind: 'refused', code: 'log_unavailable' }),
    );
    expect(await over).toMatchObject({ kind: 'uncertain' });
  });

  it('does not send an uncertain batch again when the time of its last request ends in the pause before', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const log = scripted();
      const appender = new Appender(log);
      const over = appender.append('t', 0, [record('a')], { timeoutMs: 10 });
      await log.called(1);
      log.calls[0]!.answer({ kind: 'uncertain' });
      await new Promise(setImmediate);
      jest.advanceTimersByTime(10);
      expect((await over).kind).toBe('uncertain');
      const next = appender.append('t', 0, [record('b')]);
      jest.advanceTimersByTime(1_000);
      await log.called(2);
      expect(log.calls[1]!.records).toEqual(['b']);
      log.calls[1]!.answer(accepted(0n));
      expect((await next).kind).toBe('accepted');
    } finally {
      jest.useRealTimers();
    }
  });

  it('does not halve a refusal after an uncertain try: the merged append stays uncertain', async () => {
    const log = scripted();
    const appender = new Appender(log);
    const both = [appender.append('t', 0, [record('a')]), appender.append('t', 0, [record('b')])];
    await log.called(1);
    log.calls[0]!.answer({ kind: 'uncertain' });
    await log.called(2);
    log.calls[1]!.answer({ kind: 'refused', code: 'record_too_large' });
    expect((await Promise.all(both)).map((o) => o.kind)).toEqual(['uncertain', 'uncertain']);
  });
});
