import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from '@jest/globals';
import { openEmbeddedLog } from '#log-embedded';
import { openKafkaLog } from '#log-kafka';
import { describeTables } from '#table/conformance';
import { noKafka, testKafka } from '../../test/kit/kafka.js';

let topics = 0;
const newTopic = (): string => `_t.${++topics}`;

describeTables('the embedded log', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'simpul-table-'));
  const upkeep = await openEmbeddedLog({ dir });
  return {
    open: () => openEmbeddedLog({ dir }),
    newTopic,
    child: { module: '#log-embedded', open: 'openEmbeddedLog', options: { dir } },
    compact: () => upkeep.maintain(),
    close: async () => {
      await upkeep.close();
      await rm(dir, { recursive: true });
    },
  };
});

const reason = await noKafka();
if (reason === undefined)
  describeTables('Kafka', async () => {
    const kafka = await testKafka();
    const options = { brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'tables' };
    return {
      open: () => openKafkaLog(options),
      newTopic,
      child: { module: '#log-kafka', open: 'openKafkaLog', options },
      close: () => kafka.stop(),
    };
  });
else describe('tables on Kafka', () => it.skip(`skipped: ${reason}`, () => {}));
