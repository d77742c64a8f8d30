import { expect, it } from '@jest/globals';
import { Trust } from './trust.js';

const info = (policy: string, evicted: number, role = 'master', run = 'r1'): string =>
  [
    '# Server',
    'redis_version:6.2.14',
    `run_id:${run}`,
    `maxmemory_policy:${policy}`,
    `role:${role}`,
    `evicted_keys:${evicted}`,
    '',
  ].join('\r\n');

function judge(): { trust: Trust; told: unknown[]; look: (...texts: string[]) => unknown } {
  const told: unknown[] = [];
  const trust = new Trust({
    untrusted: (node, reason) => told.push(['untrusted', node, reason.split(';')[0]]),
    trusted: () => told.push(['trusted']),
    evicted: (node, keys) => told.push(['evicted', node, keys]),
  });
  return { trust, told, look: (...texts) => trust.judge(new Map(texts.map((text, i) => [`n${i}`, text]))) };
}

it('counts evicted keys from each look to the next, and from 0 after the server was started anew', () => {
  const { told, look } = judge();
  expect(look(info('noeviction', 0))).toEqual({ evicted: 0, replica: false });
  expect(look(info('noeviction', 5))).toEqual({ evicted: 5, replica: false });
  expect(look(info('noeviction', 5))).toEqual({ evicted: 0, replica: false });
  expect(look(info('noeviction', 2, 'master', 'r2'))).toEqual({ evicted: 2, replica: false });
  expect(look(info('noeviction', 0, 'master', 'r2'))).toEqual({ evicted: 0, replica: false });
  expect(told).toEqual([
    ['evicted', 'n0', 5],
    ['evicted', 'n0', 2],
  ]);
});

it('distrusts when one node may evict keys or is a replica, reports each reason once, and trusts again when every node is right', () => {
  const { trust, told, look } = judge();
  const good = info('noeviction', 0);
  look(good, info('allkeys-lru', 0));
  look(good, info('allkeys-lru', 0));
  expect(trust.reason).toContain('allkeys-lru');
  expect(look(good, info('noeviction', 0, 'slave'))).toMatchObject({ replica: true });
  expect(trust.reason).toContain('replica');
  look(good, good);
  look(good, good);
  expect(trust.reason).toBeUndefined();
  expect(told).toEqual([
    ['untrusted', 'n1', 'Redis maxmemory-policy is allkeys-lru'],
    ['untrusted', 'n1', 'this Redis is a read-only replica'],
    ['trusted'],
  ]);
});
