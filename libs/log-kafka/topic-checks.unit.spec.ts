import { describe, expect, it } from '@jest/globals';
import { BATCH_BYTES, checkCluster, checkTopic, type FoundTopic } from './topic-checks.js';

const GOOD: FoundTopic = {
  partitions: 8,
  replicas: 3,
  configs: {
    'min.insync.replicas': '2',
    'unclean.leader.election.enable': 'false',
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(BATCH_BYTES),
  },
};
const keep = { name: 'imigrasi.paspor', partitions: 8, cleanup: 'keep' } as const;
const check = (more: Partial<FoundTopic>, brokers = 3, spec: Parameters<typeof checkTopic>[1] = keep) =>
  checkTopic('imigrasi.paspor', spec, { ...GOOD, ...more }, brokers).map((c) => [c.check, c.breaks, c.actual]);
const with_ = (setting: string, value: string): Partial<FoundTopic> => ({
  configs: { ...GOOD.configs, [setting]: value },
});

describe('a topic that exists is checked as it is', () => {
  it('has no concern when it is as the hub makes it', () => {
    expect(check({})).toEqual([]);
  });

  it.each([
    ['min.insync.replicas', '1', 'min-insync'],
    ['unclean.leader.election.enable', 'true', 'unclean'],
    ['retention.bytes', '1048576', 'retention-bytes'],
    ['message.timestamp.type', 'CreateTime', 'timestamp'],
    ['max.message.bytes', '10000', 'max-message'],
  ])('breaks a promise with %s=%s, and the command that mends it is given', (setting, value, name) => {
    expect(check(with_(setting, value))).toEqual([[name, true, value]]);
    const [concern] = checkTopic('t', keep, { ...GOOD, ...with_(setting, value) }, 3);
    expect(concern!.command).toContain(`--add-config ${setting}=${concern!.needed}`);
  });

  it('breaks a promise with fewer replicas than three where the cluster could hold three, and only there', () => {
    expect(check({ replicas: 1 })).toEqual([['replication', true, '1']]);
    expect(check({ replicas: 1 }, 1)).toEqual([]);
    expect(checkCluster(1)).toMatchObject({ check: 'brokers', breaks: false, actual: '1' });
    expect(checkCluster(3)).toBeUndefined();
  });

  it('with more partitions than recorded is a concern and no reason to refuse the start', () => {
    expect(check({ partitions: 12 })).toEqual([['partitions', false, '12']]);
  });

  it('that is compacted loses nothing by size', () => {
    const compact = { name: '_simpul.meta', partitions: 8, cleanup: 'compact' } as const;
    expect(check(with_('retention.bytes', '1048576'), 3, compact)).toEqual([]);
  });
});
