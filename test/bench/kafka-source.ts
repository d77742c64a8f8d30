import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { kafkaHub } from '../kit/kafka-hub.js';
import { HEAD, perCpu, perSecond, row, type Finding } from './finding.js';
import type { Order } from './kafka-source-child.js';
import { ratioPerCpu, type Round } from './measure.js';
import { interleave } from './rounds.js';

const EVENTS = 120_000;
const WARM_UP = 20_000;
const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const CHILD = new URL('./kafka-source-child.js', import.meta.url).pathname;

/** One stream, read from its beginning by a process of its own for each round. */
export async function kafkaSourceBench(): Promise<Finding> {
  const hub = await kafkaHub();
  const { brokers, prefix } = hub;
  const schema = hub.core.registry.catalogue.newest(TYPE)!.contract.schemaText;
  let bytes = 0;
  try {
    const key = await hub.key('SU00123', 'publisher', 'reader');
    const answer = await fetch(`${hub.url}/v1/event-types/${TYPE}/sample?seed=1`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const sample = (await answer.json()) as { data: object };
    for (let n = 0; n < EVENTS; n += 500)
      await hub.publish(
        key,
        Array.from({ length: 500 }, (_, i) => ({
          ...sample,
          id: `B-${n + i}`,
          subject: undefined,
          data: { ...sample.data, nomorPermohonan: `P${(n + i) % 5_000}` },
        })),
      );
    // The last ends are told before the hub is closed.
    for (let settled = false; !settled;) {
      const { stream } = hub.core.reading.stream(
        { keyId: 'b', owner: 'hub', system: 'b', roles: new Set(['steward']) },
        STREAM,
      );
      settled = (await hub.core.reading.extent(stream)).every((p) => p.settled >= p.high);
    }
    bytes = Math.round(JSON.stringify(sample).length);
  } finally {
    await hub.close();
  }
  const variant = (name: Order['variant']) => async (): Promise<Round> => {
    const group = `${prefix}${randomBytes(4).toString('hex')}`;
    const order: Order = {
      variant: name,
      brokers,
      prefix,
      group,
      stream: STREAM,
      type: TYPE,
      schema,
      events: EVENTS,
      warmUp: WARM_UP,
    };
    const args = ['--disable-warning=ExperimentalWarning', CHILD, JSON.stringify(order)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
    return JSON.parse(stdout) as Round;
  };
  const found = await interleave({
    bare: variant('bare'),
    source: variant('source'),
    nest: variant('nest'),
    nestSame: variant('nestSame'),
  });
  return {
    title: `Kafka source: a stream of ${EVENTS.toLocaleString('en')} events of ${bytes} bytes (as JSON), read from its beginning`,
    head: HEAD,
    rows: [
      row('kafkajs eachBatch + avsc, nothing checked', found.bare),
      row('kafka-source: digest, checks, copies, places', found.source),
      row('@nestjs/microservices Kafka + avsc, nothing checked', found.nest),
      row('@nestjs/microservices Kafka: digest, plain data, attributes', found.nestSame),
    ],
    bars: [
      perSecond('source to bare kafkajs', 0.6, found.source, found.bare),
      perCpu('source to @nestjs/microservices with the same decode', 3, found.source, found.nestSame),
    ],
    notes: [
      `source to @nestjs/microservices that decodes with avsc alone and checks nothing, events per CPU second: ${ratioPerCpu(found.source, found.nest).toFixed(2)}`,
      `the first ${WARM_UP.toLocaleString('en')} events of each process are not measured`,
    ],
  };
}
