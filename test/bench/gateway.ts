import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKafkaLog } from '#log-kafka';
import { CASE_FILE, caseEvent } from './case-event.js';
import { ADDRESS, startServer } from './child.js';
import { PARTITIONS } from './contracts.js';
import { cpuMicros, HEAD, perCpu, perSecond, row, type Finding } from './finding.js';
import { benchKey, openBenchHub } from './hub.js';
import { post, runLoad } from './load.js';
import { median, ratioPerCpu, type Round } from './measure.js';
import { interleave, underTest, untilCalm } from './rounds.js';
import { services } from './services.js';

const CONNECTIONS = 32;
const SECONDS = 4;
const BATCH = 50;
const ONE = 'application/cloudevents+json';
const LINES = 'application/x-ndjson';
/** The naive design parses JSON only under this media type. */
const PLAIN = 'application/json';

/** Publishing to a real Kafka with acks=all, compared with a naive design and with bare node:http on the same appender. */
export async function gatewayBench(): Promise<Finding> {
  const { brokers } = services();
  const run = `g${randomBytes(4).toString('hex')}`;
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-'));
  const key = randomBytes(32).toString('base64url');
  const topics = { naive: `${run}.naive`, raw: `${run}.raw` };
  const log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'bench' });
  await log.ensureTopics(
    Object.values(topics).map((name) => ({ name, partitions: PARTITIONS, cleanup: 'keep' as const })),
  );
  await log.close();
  const deployment = { engine: 'kafka', prefix: `${run}.` } as const;
  const first = join(dir, 'gateway');
  const stops: (() => Promise<void>)[] = [];
  try {
    const gateway = await openBenchHub({ ...deployment, app: 'gateway', dir: first });
    stops.push(() => gateway.stop());
    // The projector runs in another process, as in a deployment. It is stopped (SIGSTOP) during a round, so that it takes no CPU from the process under
    // test, and catches up before the next round.
    const projector = await openBenchHub({ ...deployment, app: 'projector', dir: join(dir, 'projector'), first });
    stops.push(() => {
      process.kill(projector.pid, 'SIGCONT');
      return projector.stop();
    });
    const naive = await startServer('naive.js', [
      brokers,
      topics.naive,
      createHash('sha256').update(key).digest('hex'),
      CASE_FILE,
      '1',
    ]);
    stops.push(() => naive.stop());
    const raw = await startServer('raw.js', [brokers, topics.raw, String(PARTITIONS), CASE_FILE, '1']);
    stops.push(() => raw.stop());
    const ours = await benchKey(gateway);

    let serial = 0;
    const load =
      (at: { readonly pid: number; readonly port: number }, bearer: string, type: string, batch: number) =>
      (): Promise<Round> =>
        underTest(at.pid, async () => {
          const name = `${run}-${++serial}`;
          const done = await runLoad({
            host: ADDRESS,
            port: at.port,
            connections: CONNECTIONS,
            seconds: SECONDS,
            request: (n) => post('/v1/events', ADDRESS, bearer, type, bodyOf(name, n, batch)),
          });
          if (done.refused > 0)
            throw new Error(`${done.refused} of ${done.refused + done.answered} requests were refused`);
          return { events: done.answered * batch, seconds: done.seconds };
        });
    const found = await interleave(
      {
        ours: load(gateway, ours, ONE, 1),
        naive: load(naive, key, PLAIN, 1),
        raw: load(raw, key, ONE, 1),
        batch: load(gateway, ours, LINES, BATCH),
      },
      async () => {
        process.kill(projector.pid, 'SIGCONT');
        await untilCalm(projector.pid);
        process.kill(projector.pid, 'SIGSTOP');
      },
    );
    return findingOf(found);
  } finally {
    for (const stop of stops.toReversed()) await stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function bodyOf(run: string, n: number, batch: number): string {
  if (batch === 1) return caseEvent(run, n);
  let body = '';
  for (let i = 0; i < batch; i++) body += `${caseEvent(run, n * batch + i)}\n`;
  return body;
}

type Variant = 'ours' | 'naive' | 'raw' | 'batch';

function findingOf(found: Readonly<Record<Variant, readonly Round[]>>): Finding {
  return {
    title: `Gateway: events of ${Buffer.byteLength(caseEvent('g00000000', 1))} bytes, ${CONNECTIONS} connections, Kafka with acks=all`,
    head: HEAD,
    rows: [
      row('Simpul, single events', found.ours),
      row('naive: Nest on Express, zod, avsc, one kafkajs send a request', found.naive),
      row('raw: node:http with the same parser, contract and appender', found.raw),
      row(`Simpul, NDJSON of ${BATCH}`, found.batch),
    ],
    bars: [
      perCpu('Single: Simpul / naive', 5, found.ours, found.naive),
      perCpu('Single: Simpul / raw node:http', 0.6, found.ours, found.raw),
      {
        text: `Batches of ${BATCH}: CPU µs an event`,
        value: median(found.batch.map(cpuMicros)),
        bar: 45,
        atMost: true,
      },
      {
        text: `Batches of ${BATCH} / single, events per CPU second`,
        value: ratioPerCpu(found.batch, found.ours),
        bar: 2.5,
      },
      perSecond(`Batches of ${BATCH} / single`, 2.5, found.batch, found.ours),
    ],
    notes: [
      `For scale: raw node:http / naive, events per CPU second: ${ratioPerCpu(found.raw, found.naive).toFixed(2)}. No gateway on this appender and Node's HTTP server can come past it.`,
    ],
  };
}
