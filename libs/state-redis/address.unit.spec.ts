import { describe, expect, it } from '@jest/globals';
import { parseRedisAddress } from './address.js';

describe('parseRedisAddress', () => {
  it.each([
    ['127.0.0.1:6380', { kind: 'server', host: '127.0.0.1', port: 6380, db: 0, tls: false }],
    ['redis://cache', { kind: 'server', host: 'cache', port: 6379, db: 0, tls: false }],
    [' redis://cache:7000/3 ', { kind: 'server', host: 'cache', port: 7000, db: 3, tls: false }],
    ['redis://:rahasia@cache', { kind: 'server', host: 'cache', port: 6379, db: 0, tls: false, password: 'rahasia' }],
    [
      'rediss://hub:a%3Ab%40c%2F@redis.go.id:6390',
      { kind: 'server', host: 'redis.go.id', port: 6390, db: 0, tls: true, username: 'hub', password: 'a:b@c/' },
    ],
    ['redis://[::1]:6380/0', { kind: 'server', host: '::1', port: 6380, db: 0, tls: false }],
    [
      'sentinel://a:1,b,c:26380/utama',
      {
        kind: 'sentinel',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26379 },
          { host: 'c', port: 26380 },
        ],
        name: 'utama',
        db: 0,
        tls: false,
      },
    ],
    [
      'sentinel+tls://u:p@a/utama?db=2&sentinel=su%3Asp',
      {
        kind: 'sentinel',
        nodes: [{ host: 'a', port: 26379 }],
        name: 'utama',
        db: 2,
        tls: true,
        username: 'u',
        password: 'p',
        sentinelUsername: 'su',
        sentinelPassword: 'sp',
      },
    ],
    [
      'cluster://:p@a:7000,b:7001',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 7001 },
        ],
        tls: false,
        password: 'p',
      },
    ],
    ['cluster+tls://a', { kind: 'cluster', nodes: [{ host: 'a', port: 6379 }], tls: true }],
  ])('parses %s', (text, want) => {
    expect(parseRedisAddress(text)).toEqual(want);
  });

  it.each([
    ['', 'not understood'],
    ['http://a', 'unknown scheme'],
    ['redis://a:0', 'port'],
    ['redis://a:70000', 'port'],
    ['redis://a b', 'host'],
    ['redis://a,b', 'several hosts'],
    ['redis://a/x', 'database'],
    ['redis://a?tls=1', 'unknown option'],
    ['redis://:%zz@a', 'percent-encoding'],
    ['sentinel://a:1', 'name of the master'],
    ['cluster://a/1', 'no databases'],
    ['redis://:sangat-rahasia@', 'host'],
  ])('refuses %s with the reason, and without the password in the text', (text, reason) => {
    const refused = (): unknown => parseRedisAddress(text);
    expect(refused).toThrow(
      expect.objectContaining({ code: 'invalid_settings', detail: expect.stringContaining(reason) }),
    );
    expect(refused).not.toThrow(/sangat-rahasia/);
  });
});
