import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { OWNERS_SPEC, type EventLog } from '#log';
import { openKafkaLog } from '#log-kafka';
import { cursorTopicId, Reading } from '#reading';
import { callerOf, compileSubscription, MatchIndex, type CompiledSubscription } from '#subscriptions';
import { readUnitSeed, UnitTree } from '#units';
import { readFileSync } from 'node:fs';
import { noKafka, testKafka } from '../../../test/kit/kafka.js';
import { catalogueOfFiles, recordOf, viewsOf } from '../../../test/kit/projection/events.js';
import { Stage, until } from '../../../test/kit/projection/stage.js';
import { random } from '../../../test/kit/random.js';
import { Feed } from './feed.js';
import { NotingFollower } from './feed.fixture.js';

const STREAM = 'imigrasi.paspor';
const SET = 'imigrasi.paspor.diterbitkan';
const LIFTED = 'imigrasi.paspor.permohonan-diajukan';
const PARTITIONS = 3;
const stream = { name: STREAM, partitions: PARTITIONS };
const catalogue = catalogueOfFiles(PARTITIONS);
const units = new UnitTree(() => '2021-07-15');
const seedFile = new URL('../../../schemas/units.json', import.meta.url);
for (const u of readUnitSeed(readFileSync(seedFile, 'utf8')).units) units.put(u.id, [u]);
const OWNERS = ['SU00123', 'SU00124', 'SU00125'];

const engines: Record<string, { skip?: string; open?: (undo: AsyncDisposableStack) => Promise<EventLog> }> = {
  embedded: {},
  kafka: {
    open: async (undo) => {
      const kafka = await testKafka();
      undo.defer(() => kafka.stop());
      const log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'feed' });
      undo.defer(() => log.close());
      return log;
    },
  },
};
const withoutKafka = await noKafka();

let undo: AsyncDisposableStack;
afterEach(() => undo.disposeAsync());

describe.each(Object.keys(engines))('on %s', (engine) => {
  const test = engine === 'kafka' && withoutKafka !== undefined ? it.skip : it;

  test.each([11, 12])(
    'followers that are slow, full, detached and attached again get exactly what is due to each, in order, once (seed %i)',
    async (seed) => {
      undo = new AsyncDisposableStack();
      const next = random(seed);
      const upTo = (max: number): number => Math.floor(next() * max);
      const own = await engines[engine]!.open?.(undo);
      const stage = new Stage(
        catalogue,
        viewsOf(catalogue, 'imigrasi.paspor-status'),
        own ? { wrapLog: () => own } : {},
      );
      undo.defer(() => stage.close());
      await own?.ensureTopics([
        OWNERS_SPEC,
        ...stage.streams.map(({ name, partitions }) => ({ name, partitions, cleanup: 'keep' as const })),
      ]);
      await stage.open();
      await stage.project();
      let reads = 0;
      const counted: EventLog = new Proxy(stage.log, {
        get: (log, name) => {
          const value: unknown = Reflect.get(log, name);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            if (name === 'read') reads++;
            return (value as (...a: unknown[]) => unknown).apply(log, args);
          };
        },
      });
      const reading = new Reading({
        ...{ log: counted, settled: stage.settled, catalogue, units, now: Date.now },
        tails: { ringBytes: 60_000 },
      });
      undo.defer(() => reading.close());
      const feed = new Feed<CompiledSubscription>({
        reading,
        makeMatches: () => new MatchIndex(units),
        catchUpReaders: 2,
      });
      undo.defer(() => feed.close());

      let serial = 0;
      const publish = (n: number): Promise<bigint[]> => {
        const all = Array.from({ length: n }, () => {
          // One in ten is sent a second time.
          const id = upTo(10) === 0 && serial > 0 ? serial : ++serial;
          return recordOf(catalogue, {
            type: id % 3 === 0 ? LIFTED : SET,
            id: `E-${id}`,
            source: `urn:simpul:unit:${OWNERS[id % 3]}:simkim`,
            data: { nomorPermohonan: `C-${id % 40}` },
            seed: id,
          });
        });
        return stage.append(all);
      };
      const topicId = cursorTopicId(await stage.log.topicId(STREAM));
      const start = { topicId, next: [0n, 0n, 0n] };
      const followers = Array.from({ length: 30 }, (_, i) => {
        const types = [['imigrasi.paspor.*'], [SET], [LIFTED]][i % 3]!;
        const filters = i % 4 === 0 ? [{ suffix: { id: String(i % 10) } }] : [];
        const spec = { id: `s${i}`, owner: OWNERS[i % 3]!, system: 'uji', types, filters, test: false };
        return new NotingFollower(compileSubscription(spec), 1 + upTo(30), OWNERS[i % 3]);
      });
      const due = async (one: (typeof followers)[number], end: readonly bigint[]): Promise<bigint[][]> => {
        const found: bigint[][] = end.map(() => []);
        const owner = callerOf({ id: one.subscription.id, owner: one.unit, system: 'uji' });
        let at: readonly bigint[] = one.from.next;
        // What is above the end of this follower was not looked at.
        const bounded = end.map((to, p) => (to > at[p]! ? to : at[p]!));
        for (;;) {
          const page = await reading.readEvents(owner, { stream, next: at, end: bounded }, {}, { limit: 500 });
          for (const event of page.events)
            if (one.subscription.wants(event.type.type) && one.subscription.holds(event, units))
              found[event.partition]!.push(event.offset);
          at = page.next;
          if (at.every((n, p) => n >= bounded[p]!)) return found;
        }
      };

      await publish(300);
      for (const one of followers) one.attach(feed, stream, start);
      for (let step = 0; step < 250; step++) {
        const one = followers[upTo(followers.length)]!;
        const what = upTo(6);
        if (what === 0) await publish(1 + upTo(20));
        else if (what < 4) one.free(upTo(40));
        else if (what === 4) await pause(upTo(8));
        else {
          const place = one.attachment!.detach();
          const given = one.given.map((offsets) => [...offsets]);
          expect([one.subscription.id, given]).toEqual([one.subscription.id, await due(one, place.next)]);
          const back = upTo(2) === 0 ? BigInt(upTo(100)) : 0n;
          one.attach(feed, stream, { topicId, next: place.next.map((n) => (n > back ? n - back : 0n)) });
        }
      }
      for (const one of followers) one.free(1_000_000);
      const ends = (await stage.log.describe(STREAM)).map(({ high }) => high);
      const haveAll = (to: readonly bigint[]): boolean =>
        followers.every(({ attachment }) => attachment!.scanned.every((n, p) => n >= to[p]!));
      await until(() => haveAll(ends) && followers.every(({ attachment }) => attachment!.mode === 'live'));
      for (const one of followers) {
        expect([one.subscription.id, one.given]).toEqual([one.subscription.id, await due(one, ends)]);
        expect([one.damages, one.faults]).toEqual([[], []]);
      }
      expect(followers.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(1_000);

      // Live: one read of each partition, for all of them.
      const before = reads;
      for (let i = 0; i < 10; i++) {
        await publish(3);
        const to = (await stage.log.describe(STREAM)).map(({ high }) => high);
        await until(() => haveAll(to));
      }
      expect(reads - before).toBeLessThanOrEqual(10 * 3 * 2 + PARTITIONS);
    },
    120_000,
  );
});
