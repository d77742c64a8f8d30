import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { openKafkaLog } from '#log-kafka';
import { startWorker } from './child.js';
import { catalogueOfFiles, PARTITIONS } from './contracts.js';
import { HEAD, perCpu, perSecond, row, type Finding } from './finding.js';
import type { Round } from './measure.js';
import type { FoldRequest } from './projector-child.js';
import { fillStream } from './remand-records.js';
import { interleave, underTest } from './rounds.js';
import { services } from './services.js';

const TYPE = 'pas.penahanan.akan-berakhir';
const CONTRACT = 'schemas/pas/penahanan/akan-berakhir.v1.avsc';
const VIEW = 'pas.penahanan-berakhir';
const EVENTS = 60_000;
const NAIVE_EVENTS = 10_000;

/** One `latest` view on Kafka and Redis with digest check and duplicate index, compared with eachMessage and two HSETs over the same stream. */
export async function projectorBench(): Promise<Finding> {
  const { brokers, redis } = services();
  const run = `b${randomBytes(4).toString('hex')}`;
  const type = catalogueOfFiles().newest(TYPE)!;
  const prefix = `${run}.`;
  const log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'bench', prefix });
  const store = new Redis(redis);
  await log.ensureTopic({ name: type.stream, partitions: PARTITIONS, cleanup: 'keep' });
  await fillStream(log, type, EVENTS);
  const ours = startWorker<FoldRequest>('projector-child.js', [brokers, prefix, redis, VIEW]);
  const naive = startWorker<FoldRequest>('naive-consumer.js', [brokers, `${prefix}${type.stream}`, redis, CONTRACT]);
  let round = 0;
  const of = (worker: typeof ours, events: number) => async (): Promise<Round> => {
    const found = await underTest(worker.pid, () => worker.ask({ round: `${run}-${++round}`, events }));
    await store.flushdb();
    return found;
  };
  try {
    const found = await interleave({ ours: of(ours, EVENTS), naive: of(naive, NAIVE_EVENTS) });
    return {
      title: 'Projector: one latest view, Kafka and Redis, digest check and duplicate index on',
      head: HEAD,
      rows: [
        row(`Simpul, ${EVENTS} events from the start`, found.ours),
        row(`eachMessage + two HSETs, ${NAIVE_EVENTS} events`, found.naive),
      ],
      bars: [
        perCpu('Projector: Simpul / naive', 5, found.ours, found.naive),
        perSecond('Projector: Simpul / naive', 5, found.ours, found.naive),
      ],
    };
  } finally {
    await ours.stop();
    await naive.stop();
    await log.close();
    await store.quit();
  }
}
