import { describe, it } from '@jest/globals';
import { describeEventLog, type Harness } from '#log/conformance';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { openKafkaLog } from './index.js';
import { ClusterClient } from './platformatic/index.js';

const reason = await noKafka();

async function harness(): Promise<Harness> {
  const kafka = await testKafka();
  const options = { brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'conformance', sessionMs: 6_000 };
  const control = new ClusterClient(options);
  let made = 0;
  return {
    open: () => openKafkaLog(options),
    newTopic: () => `topic-${++made}`,
    child: { module: '#log-kafka', open: 'openKafkaLog', options },
    compact: (topic) =>
      control.alter(`${kafka.prefix}${topic}`, {
        'segment.ms': '100',
        'min.cleanable.dirty.ratio': '0.001',
        'max.compaction.lag.ms': '100',
      }),
    lowerLimit: (topic, bytes) => control.alter(`${kafka.prefix}${topic}`, { 'max.message.bytes': String(bytes) }),
    close: async () => {
      await control.close();
      await kafka.stop();
    },
  };
}

if (reason === undefined) describeEventLog('Kafka', harness, { kills: 3 });
else describe('Kafka keeps the promises of EventLog', () => it.skip(`skipped: ${reason}`, () => {}));
