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
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'compression.type': 'producer',
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
    ['min.insync.replicas', '4', 'min-insync'],
    ['cleanup.policy', 'compact,delete', 'cleanup'],
    ['retention.ms', '604800000', 'retention'],
  ])('breaks a promise with %s=%s, and the command that mends it is given', (setting, value, name) => {
    expect(check(with_(setting, value))).toEqual([[name, true, value]]);
    const [concern] = checkTopic('t', keep, { ...GOOD, ...with_(setting, value) }, 3);
    expect(concern!.command).toContain(`--add-config ${setting}=${concern!.needed}`);
  });

  it('breaks a promise with fewer replicas than three where the cluster could hold three, and only there', () => {
    const one = { replicas: 1, ...with_('min.insync.replicas', '1') };
    expect(check(one)).toEqual([['replication', true, '1']]);
    expect(check(one, 1)).toEqual([]);
    expect(checkCluster(1)).toMatchObject({ check: 'brokers', breaks: false, actual: '1' });
    expect(checkCluster(3)).toBeUndefined();
  });

  it('breaks a promise with min.insync.replicas=1 where there are two replicas, and not with one replica', () => {
    expect(check({ replicas: 2, ...with_('min.insync.replicas', '1') }, 2)).toEqual([['min-insync', true, '1']]);
    expect(check({ replicas: 1, ...with_('min.insync.replicas', '1') }, 1)).toEqual([]);
    expect(check({ replicas: 1 }, 1)).toEqual([['min-insync', true, '2']]);
  });

  it('that the broker compresses again is a concern and no reason to refuse the start', () => {
    expect(check(with_('compression.type', 'gzip'))).toEqual([['compression', false, 'gzip']]);
    for (const type of ['producer', 'uncompressed']) expect(check(with_('compression.type', type))).toEqual([]);
  });

  it('with fewer partitions than recorded breaks a promise, and the command adds them', () => {
    const [concern] = checkTopic('t', keep, { ...GOOD, partitions: 2 }, 3);
    expect(concern).toMatchObject({ check: 'partitions', breaks: true, actual: '2', needed: '8' });
    expect(concern!.command).toContain('kafka-topics.sh --bootstrap-server … --alter --topic t --partitions 8');
  });

  it('with more partitions than recorded is a concern and no reason to refuse the start', () => {
    expect(check({ partitions: 12 })).toEqual([['partitions', false, '12']]);
  });

  it('that is compacted loses nothing by time or size, and everything when it is not', () => {
    const compact = { name: '_simpul.meta', partitions: 8, cleanup: 'compact' } as const;
    const configs = { ...GOOD.configs, 'cleanup.policy': 'compact' };
    for (const setting of ['retention.bytes', 'retention.ms'])
      expect(check({ configs: { ...configs, [setting]: '1048576' } }, 3, compact)).toEqual([]);
    expect(check({}, 3, compact)).toEqual([['cleanup', true, 'delete']]);
  });
});
