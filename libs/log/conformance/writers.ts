import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '../index.js';
import { Child, many, put, readAll, rec, text, until } from './kit.js';
import type { Bench, SuiteOptions } from './harness.js';

export function writerCases(bench: () => Bench): void {
  describe('claimed writers (R4)', () => {
    let log: EventLog;
    let topic: string;
    beforeEach(async () => {
      log = bench().log;
      topic = `_${bench().harness.newTopic()}`;
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
    });

    it('writes all or none, durable, visible to every reader', async () => {
      const writer = await log.claim(topic);
      expect(writer.topic).toBe(topic);
      expect(await writer.write([rec('a', '1'), rec('b', '2')])).toMatchObject({ kind: 'accepted' });
      expect(await writer.write([rec('a', null)])).toMatchObject({ kind: 'accepted' });
      expect((await readAll(log, topic)).map((r) => text(r) ?? null)).toEqual(['1', '2', null]);
      await writer.release();
    });

    it('refuses more than one append may hold, writing nothing', async () => {
      const writer = await log.claim(topic);
      expect(await writer.write(many(501))).toMatchObject({ kind: 'refused' });
      expect(await readAll(log, topic)).toEqual([]);
      await writer.release();
    });

    it('lets the second claim fence the first, and a fenced write leaves nothing to be read', async () => {
      const other = await bench().harness.open();
      const first = await log.claim(topic);
      expect(await first.write([rec('a', 'first')])).toMatchObject({ kind: 'accepted' });
      const second = await other.claim(topic);
      expect(await first.write([rec('a', 'zombie')])).toEqual({ kind: 'fenced' });
      expect(await second.write([rec('a', 'second')])).toMatchObject({ kind: 'accepted' });
      expect(await first.write([rec('a', 'zombie again')])).toEqual({ kind: 'fenced' });
      expect((await readAll(log, topic)).map(text)).toEqual(['first', 'second']);
      const third = await log.claim(topic);
      expect(await third.write([rec('a', 'third')])).toMatchObject({ kind: 'accepted' });
      expect((await readAll(other, topic)).map(text)).toEqual(['first', 'second', 'third']);
      await third.release();
      await other.close();
    });

    it('can be claimed again after release', async () => {
      const first = await log.claim(topic);
      await first.write([rec('a', '1')]);
      await first.release();
      const second = await log.claim(topic);
      expect(await second.write([rec('a', '2')])).toMatchObject({ kind: 'accepted' });
      expect((await readAll(log, topic)).map(text)).toEqual(['1', '2']);
      await second.release();
    });

    it('fences a writer that was paused (SIGSTOP) during a takeover: pause, claim, write, wake', async () => {
      const child = new Child(bench().harness.child, 'write', { topic });
      try {
        child.send({ claim: true });
        await child.line(0);
        child.send({ write: 'before' });
        expect(await child.line(1)).toEqual({ kind: 'accepted' });
        child.process.kill('SIGSTOP');
        const mine = await log.claim(topic);
        expect(await mine.write([rec('k', 'taken over')])).toMatchObject({ kind: 'accepted' });
        child.send({ write: 'zombie' });
        child.process.kill('SIGCONT');
        expect(await child.line(2)).toEqual({ kind: 'fenced' });
        expect((await readAll(log, topic)).map(text)).toEqual(['before', 'taken over']);
        child.send({ claim: true });
        await child.line(3);
        child.send({ write: 'after a new claim' });
        expect(await child.line(4)).toEqual({ kind: 'accepted' });
        expect(await mine.write([rec('k', 'old')])).toEqual({ kind: 'fenced' });
        expect((await readAll(log, topic)).map(text)).toEqual(['before', 'taken over', 'after a new claim']);
      } finally {
        await child.kill();
      }
    });
  });
}

export function crashCases(bench: () => Bench, options: SuiteOptions): void {
  describe('crashes', () => {
    it('keeps every accepted append, and none in part, when the writing process is killed', async () => {
      const { harness, log } = bench();
      const topic = harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
      const batch = 20;
      for (let run = 0; run < (options.kills ?? 3); run++) {
        const child = new Child(harness.child, 'append', { topic, batch, run });
        const enough = 5 + ((run * 37) % 60);
        await until('some acknowledged', () => child.lines.length >= enough);
        await child.kill('SIGKILL');
        const accepted = child.lines as { n: number; base: string }[];
        const other = await harness.open();
        const all = await until('the log to answer', () => readAll(other, topic).catch(() => undefined));
        const byOffset = new Map(all.map((r) => [r.offset, text(r)]));
        for (const { n, base } of accepted)
          for (let i = 0; i < batch; i++) expect(byOffset.get(BigInt(base) + BigInt(i))).toBe(`${run}/${n}/${i}`);
        // the one append in flight lies there whole or not at all
        expect(all.length % batch).toBe(0);
        await other.close();
      }
    }, 180_000);

    if (options.restarts) {
      it('keeps every accepted record over a restart of the engine, and recovers by itself', async () => {
        const { harness, log } = bench();
        const topic = harness.newTopic();
        await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
        await put(log, topic, 0, many(10));
        await harness.restart!();
        await until(
          'an append to be durable again',
          async () => (await log.append(topic, 0, [rec('k', 'after')])).kind === 'accepted',
        );
        const values = (await until('the log to answer', () => readAll(log, topic).catch(() => undefined))).map(text);
        expect(values.slice(0, 10)).toEqual(many(10).map((r) => r.value!.toString()));
        expect(values).toContain('after');
        await expect(log.ping()).resolves.toBeUndefined();
      }, 180_000);
    }
  });
}
