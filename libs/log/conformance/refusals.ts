import { beforeEach, describe, expect, it } from '@jest/globals';
import { Appender, MAX_RECORD_BYTES, type AppendOutcome, type EventLog, type NewRecord } from '../index.js';
import { many, put, readAll, rec, records, text, until } from './kit.js';
import type { Bench } from './harness.js';

/** R3.8 and R3.9: a refusal is about one record, reaches it alone, and is the truth. */
export function refusalCases(bench: () => Bench): void {
  describe('refusals', () => {
    let log: EventLog;
    let topic: string;
    beforeEach(async () => {
      log = bench().log;
      topic = bench().harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    });

    /** What one batch of the topic takes from now on, in bytes. */
    async function lowLimit(): Promise<number> {
      const { lowerLimit } = bench().harness;
      if (lowerLimit === undefined) return MAX_RECORD_BYTES;
      await lowerLimit(topic, 20_000);
      // the broker follows a moment later; this one is refused by then, and known to the log
      const probe = await bench().harness.open();
      await until('the limit to count', async () => {
        return (await probe.append(topic, 1, [rec('probe', Buffer.alloc(20_000))])).kind === 'refused';
      });
      await probe.close();
      return 20_000;
    }

    /** One request each, merged by an Appender as those of several callers are. */
    const asCallers = (name: string, values: readonly NewRecord[]): Promise<AppendOutcome[]> => {
      const appender = new Appender(log);
      return Promise.all(values.map((record) => appender.append(name, 0, [record], { timeoutMs: 30_000 })));
    };

    /** The log has exactly what was accepted, in the order of the calls, each at its offset. */
    async function expectTruth(name: string, values: readonly NewRecord[], outcomes: readonly AppendOutcome[]) {
      const written = await readAll(log, name, 0);
      const accepted = values.filter((_, n) => outcomes[n]!.kind === 'accepted');
      expect(written.map((r) => r.value!.toString())).toEqual(accepted.map((r) => r.value!.toString()));
      const bases = outcomes.flatMap((o) => (o.kind === 'accepted' ? [o.base] : []));
      expect(bases).toEqual(written.map((r) => r.offset));
    }

    it('one record that is too large alone is refused with the limit of its topic, and is not in the log', async () => {
      const limit = await lowLimit();
      for (let n = 0; n < 2; n++)
        expect(await log.append(topic, 0, [rec('k', Buffer.alloc(limit + 1))])).toMatchObject({
          kind: 'refused',
          code: 'record_too_large',
          limit,
        });
      const ranges = await log.describe(topic);
      expect(ranges[0]!.high).toBe(0n);
      expect(await put(log, topic, 0, [rec('k', 'after')])).toBe(0n);
    });

    it('tells before an append that a record is too large for its topic as it is now', async () => {
      const limit = await lowLimit();
      await log.append(topic, 0, [rec('k', Buffer.alloc(limit + 1))]);
      expect(await log.limitExceeded(topic, rec('k', Buffer.alloc(limit + 1)))).toBe(limit);
      expect(await log.limitExceeded(topic, rec('k', Buffer.alloc(limit - 500)))).toBeUndefined();
      await put(log, topic, 0, [rec('k', Buffer.alloc(limit - 500))]);
    });

    it('of several callers, the one whose record is too large is refused, and the others are written in order', async () => {
      const limit = await lowLimit();
      const values = Array.from({ length: 12 }, (_, n) =>
        rec(`k${n}`, n === 5 ? 'x'.repeat(limit + 1) : `${n}`.repeat(n % 3 === 0 ? 9_000 : 5)),
      );
      const outcomes = await asCallers(topic, values);
      expect(outcomes.flatMap((o, n) => (o.kind === 'accepted' ? [] : [[n, o]]))).toEqual([
        [5, expect.objectContaining({ kind: 'refused', code: 'record_too_large', limit })],
      ]);
      await expectTruth(topic, values, outcomes);
    });

    it('of several callers, the one whose record is invalid is refused, and the others are written in order', async () => {
      const table = bench().harness.newTopic();
      await log.ensureTopic({ name: table, partitions: 1, cleanup: 'compact' });
      // a compacted topic takes no record without a key
      const values = Array.from({ length: 9 }, (_, n) => rec(n === 6 ? null : `k${n}`, `v${n}`));
      const whole = await log.append(table, 0, values);
      expect(whole).toMatchObject({ kind: 'refused', code: 'invalid_record' });
      const outcomes = await asCallers(table, values);
      expect(outcomes.flatMap((o, n) => (o.kind === 'accepted' ? [] : [[n, o]]))).toEqual([
        [6, expect.objectContaining({ kind: 'refused', code: 'invalid_record' })],
      ]);
      await expectTruth(table, values, outcomes);
    });

    it('a topic that another opening has deleted refuses its records at once as unknown_topic, and no other topic is disturbed', async () => {
      const neighbour = bench().harness.newTopic();
      await log.ensureTopic({ name: neighbour, partitions: 1, cleanup: 'keep' });
      await put(log, topic, 0, many(2, 'old'));
      const other = await bench().harness.open();
      await other.deleteTopic(topic);
      const [gone, ...fine] = await Promise.all([
        asCallers(topic, many(4)),
        ...Array.from({ length: 4 }, (_, n) => put(log, neighbour, 0, [rec('k', `n${n}`)])),
      ]);
      expect(gone.map((o) => [o.kind, 'code' in o && o.code])).toEqual(gone.map(() => ['refused', 'unknown_topic']));
      expect(fine).toEqual([0n, 1n, 2n, 3n]);
      await other.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
      expect(await put(log, topic, 0, [rec('k', 'new')])).toBe(0n);
      expect((await readAll(log, topic)).map(text)).toEqual(['new']);
      await other.close();
    });

    it('a partition that the topic does not have is refused, also when the topic was made again with fewer or more, and is written by no repeat', async () => {
      await put(log, topic, 1, [rec('k', 'old')]);
      const other = await bench().harness.open();
      const again = async (partitions: number): Promise<void> => {
        await other.deleteTopic(topic);
        await other.ensureTopic({ name: topic, partitions, cleanup: 'keep' });
      };
      await again(1);
      for (let n = 0; n < 2; n++) {
        const wrong = { kind: 'refused', code: 'wrong_partition' };
        expect(await Promise.all([1, 7].map((p) => log.append(topic, p, many(1))))).toMatchObject([wrong, wrong]);
      }
      expect(await put(log, topic, 0, [rec('k', 'new')])).toBe(0n);
      expect((await log.describe(topic)).map((r) => r.high)).toEqual([1n]);
      await again(2);
      expect(await put(log, topic, 1, [rec('k', 'newest')])).toBe(0n);
      await other.close();
    });

    it('an append that is withdrawn at any moment tells the truth: refused is not in the log, accepted is', async () => {
      const values = many(60, 'w');
      const outcomes = await Promise.all(
        values.map((record, n) => {
          const stop = new AbortController();
          const appended = log.append(topic, 0, [record], undefined, stop.signal);
          if (n % 3 === 0) stop.abort();
          else if (n % 3 === 1) setTimeout(() => stop.abort(), n / 4);
          return appended;
        }),
      );
      expect(new Set(outcomes.map((o) => o.kind))).not.toContain('uncertain');
      await put(log, topic, 0, [rec('k', 'last')]);
      const batch = await records(log.read(topic, 0, 0n));
      expect(batch.records.map(text)).toEqual([
        ...values.filter((_, n) => outcomes[n]!.kind === 'accepted').map((r) => r.value!.toString()),
        'last',
      ]);
    });
  });
}
