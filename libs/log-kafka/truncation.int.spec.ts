import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkPlace, epochOf, placeProof, type EventLog, type GroupMember, type Interruption } from '#log';
import { many, put, readAll, records, text, until } from '../log/conformance/kit.js';
import { noOwnKafka, ownKafka } from '../../test/kit/kafka.js';
import { openKafkaLog } from './index.js';
import { ClusterClient } from './platformatic/index.js';

const reason = noOwnKafka();
const suite = reason === undefined ? describe : describe.skip;
const TOPIC = 'layanan.kasus';

suite(`log-kafka after an unclean election${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let kafka: Awaited<ReturnType<typeof ownKafka>>;
  let control: ClusterClient;
  let log: EventLog;

  beforeAll(async () => {
    kafka = await ownKafka(3);
    const options = { brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'truncation' };
    control = new ClusterClient(options);
    log = await openKafkaLog(options);
  }, 180_000);
  afterAll(async () => {
    await log?.close();
    await control?.close();
    await kafka?.stop();
  }, 120_000);

  it('tells a reader that its records are gone, also after the log has grown beyond its place again; a reader that names no epoch sees nothing', async () => {
    const name = kafka.prefix + TOPIC;
    await control.create(
      [{ name: TOPIC, partitions: 1 }].map((t) => ({ ...t, name })),
      2,
      {
        'min.insync.replicas': '1',
        'unclean.leader.election.enable': 'true',
        'message.timestamp.type': 'LogAppendTime',
      },
    );
    const shape = () => control.shapes([name]).then((now) => now.get(name), () => undefined); // prettier-ignore
    const leader = await until('a leader', async () => {
      const now = (await shape())?.leaders[0];
      return now !== undefined && now > 0 && now;
    });
    await put(log, TOPIC, 0, many(10, 'kept'));
    await until('both replicas in sync', async () => (await shape())?.behind === 0);
    const outOfDate = (await control.replicas(name))[0]!.find((id) => id !== leader)!;
    kafka.cluster.kill(outOfDate, 'SIGKILL');
    await until('the other replica to fall behind', async () => (await shape())?.behind === 1, 60_000);
    await put(log, TOPIC, 0, many(10, 'lost'));

    // what a follower, a group and a store know at offset 20
    const read = await records(log.read(TOPIC, 0, 0n, { maxRecords: 20 }));
    expect([read.next, read.records.map(text).at(-1)]).toEqual([20n, 'lost9']);
    const { topicId, lastEpoch } = read;
    const proof = placeProof(topicId, read.records.at(-1)!, 20n);
    expect(epochOf(proof)).toBe(lastEpoch);
    const interruptions: Interruption[] = [];
    const given: string[] = [];
    const member: GroupMember = {
      start: () => Promise.resolve({ offset: 20n, lastEpoch: lastEpoch! }),
      batch: (_at, batch) => {
        given.push(...batch.records.map((r) => text(r)!));
        return Promise.resolve({ next: batch.next });
      },
      interrupted: (_at, why) => interruptions.push(why),
    };
    await log.join('pembaca', [TOPIC], member);

    kafka.cluster.kill(leader, 'SIGKILL');
    await kafka.cluster.start(outOfDate);
    await until(
      'the replica that is out of date to lead',
      async () => (await shape())?.leaders[0] === outOfDate,
      90_000,
    );
    await put(log, TOPIC, 0, many(30, 'new'));
    expect((await readAll(log, TOPIC)).map(text).slice(8, 12)).toEqual(['kept8', 'kept9', 'new0', 'new1']);

    const believed = { topicId, ...(lastEpoch === undefined ? {} : { lastEpoch }) };
    expect(await log.read(TOPIC, 0, 20n, believed)).toEqual({ kind: 'truncated', from: 10n });
    expect(await checkPlace(log, TOPIC, 0, 20n, proof)).toBe('differs');
    await until('the group to be told', () => interruptions.length > 0, 60_000);
    expect([interruptions[0], given]).toEqual([{ kind: 'truncated', from: 10n }, []]);
    // the same place without what the reader knows of it: the records of another history, in silence
    const blind = await records(log.read(TOPIC, 0, 20n, { topicId, maxRecords: 1 }));
    expect(blind.records.map(text)).toEqual(['new10']);
    // a place that both histories have in common is no truncation
    const common = read.records[9]!;
    expect(await checkPlace(log, TOPIC, 0, 10n, placeProof(topicId, common, 10n))).toBe('same');
    const on = await records(log.read(TOPIC, 0, 10n, { topicId, lastEpoch: common.leaderEpoch, maxRecords: 1 }));
    expect(on.records.map(text)).toEqual(['new0']);
  }, 300_000);
});
