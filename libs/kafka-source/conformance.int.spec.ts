import { randomUUID } from 'node:crypto';
import { describe, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { defineEvent } from '#sdk';
import { describeSource, type Published } from '../consuming/conformance/index.js';
import { kafkaHub, noKafkaHub } from '../../test/kit/kafka-hub.js';
import { kafka, type KafkaOptions } from './index.js';

const reason = noKafkaHub();
const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const UNIT = 'SU00123';
/** After a kill the next member waits so long for the partitions. */
const SESSION_MS = 2_000;
const KILLS = process.env['SIMPUL_TEST_CAMPAIGN'] === undefined ? 4 : 100;

if (reason !== undefined) describe('Kafka as a source of events', () => it.skip(`skipped: ${reason}`, () => undefined));
else
  describeSource(
    'Kafka',
    async () => {
      const hub = await kafkaHub();
      const key = await hub.key(UNIT, 'publisher', 'reader');
      const type = hub.core.registry.catalogue.newest(TYPE)!;
      const options: Omit<KafkaOptions, 'group'> = {
        brokers: hub.brokers,
        prefix: hub.prefix,
        sessionMs: SESSION_MS,
        batchEvents: 40,
      };
      const answer = await fetch(`${hub.url}/v1/event-types/${TYPE}/sample?seed=1`, {
        headers: { authorization: `Bearer ${key}` },
      });
      const sample = (await answer.json()) as { data: object };
      let run = 0;
      return {
        token: defineEvent({ type: TYPE, stream: STREAM, version: type.version, schema: type.contract.schemaText }),
        gapCode: 'offset_out_of_range',
        async publish(count, subjects) {
          run++;
          const published: Published[] = [];
          for (let at = 0; at < count; at += 500) {
            const events = Array.from({ length: Math.min(500, count - at) }, (_, i) => {
              const subject = `X${run}${String((at + i) % subjects).padStart(4, '0')}`;
              const id = randomUUID();
              published.push({ id, subject });
              return { ...sample, id, subject: undefined, data: { ...sample.data, nomorPermohonan: subject } };
            });
            await hub.publish(key, events);
          }
          return published;
        },
        open: (group) => kafka({ ...options, group: hub.prefix + group }),
        child: {
          module: new URL('./index.ts', import.meta.url).href,
          open: 'kafka',
          options: JSON.parse(JSON.stringify(options)) as Record<string, unknown>,
        },
        async expire() {
          const admin = new Kafka({ brokers: [...hub.brokers], logLevel: logLevel.NOTHING }).admin();
          await admin.connect();
          const topic = hub.prefix + STREAM;
          const ends = await admin.fetchTopicOffsets(topic);
          await admin.deleteTopicRecords({
            topic,
            partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
          });
          await admin.disconnect();
        },
        close: () => hub.close(),
      };
    },
    { kills: KILLS, slowMs: SESSION_MS + 1_000, rebalances: true, expires: true },
  );
