import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEventLog } from '#log/conformance';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';

let topics = 0;

describeEventLog(
  'the embedded log',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'simpul-log-'));
    const upkeep: EmbeddedLog = await openEmbeddedLog({ dir });
    return {
      open: () => openEmbeddedLog({ dir }),
      newTopic: () => `t.${++topics}`,
      child: { module: '#log-embedded', open: 'openEmbeddedLog', options: { dir } },
      compact: () => upkeep.maintain(),
      expire: () => upkeep.maintain(),
      close: async () => {
        await upkeep.close();
        await rm(dir, { recursive: true });
      },
    };
  },
  { kills: 10 },
);
