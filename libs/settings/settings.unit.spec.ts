import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '#faults';
import { DEFAULT_LIMITS, LIMIT_NAMES, settingOf } from '#limits';
import { hubEnvironment, readHubSettings, readLanguage, Secret } from './index.js';

const problemsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    readHubSettings(env);
    return [];
  } catch (e) {
    return isFault(e) ? e.problems.map((p) => p.pointer) : ['not a fault'];
  }
};

describe('hub settings', () => {
  it('select the embedded engine when nothing is set', () => {
    expect(readHubSettings({})).toMatchObject({ engine: 'embedded', port: 8080, host: '127.0.0.1', partitions: 8 });
  });

  it('report every problem at once, including unknown SIMPUL_ names', () => {
    expect(problemsOf({ SIMPUL_PORT: 'x', SIMPUL_ENGINE: 'rabbit', SIMPUL_PROT: '1' }).toSorted()).toEqual([
      'SIMPUL_ENGINE',
      'SIMPUL_PORT',
      'SIMPUL_PROT',
    ]);
  });

  it('take a setting for each row of the table of limits; only a rate of what a key can find out may be a fraction', () => {
    expect(readHubSettings({}).limits).toEqual(DEFAULT_LIMITS);
    for (const name of LIMIT_NAMES) {
      expect(readHubSettings({ [settingOf(name)]: '7' }).limits[name]).toBe(7);
      expect(problemsOf({ [settingOf(name)]: '0' })).toEqual([settingOf(name)]);
      const half = problemsOf({ [settingOf(name)]: '0.5' });
      expect(half).toEqual(/^(misses|lookups)_/.test(name) ? [] : [settingOf(name)]);
    }
  });

  it('accept the settings of the command line in the same shell, and keep its keys out of the hub environment', () => {
    const shell = { SIMPUL_KEY: 'k', SIMPUL_URL: 'http://h', SIMPUL_CHECKER_KEY: 'k', PATH: '/bin' };
    expect(problemsOf(shell)).toEqual([]);
    expect(hubEnvironment({ ...shell, SIMPUL_PORT: '1' })).toEqual({ PATH: '/bin', SIMPUL_PORT: '1' });
  });

  it('read the private certificate authorities of Kafka and Redis from files, and name the setting whose file holds none', () => {
    const dir = mkdtempSync(join(tmpdir(), 'simpul-settings-'));
    const pem = join(dir, 'ca.pem');
    writeFileSync(pem, '-----BEGIN CERTIFICATE-----\n');
    const kafka = { SIMPUL_ENGINE: 'kafka', SIMPUL_KAFKA: 'a:1', SIMPUL_REDIS: 'rediss://h' };
    const s = readHubSettings({ ...kafka, SIMPUL_KAFKA_CA: pem, SIMPUL_REDIS_CA: pem });
    expect([s.kafka?.ca, s.redisCa]).toEqual(['-----BEGIN CERTIFICATE-----\n', '-----BEGIN CERTIFICATE-----\n']);
    writeFileSync(pem, 'no certificate');
    expect(problemsOf({ ...kafka, SIMPUL_KAFKA_CA: join(dir, 'none'), SIMPUL_REDIS_CA: pem })).toEqual([
      'SIMPUL_KAFKA_CA',
      'SIMPUL_REDIS_CA',
    ]);
    rmSync(dir, { recursive: true });
  });

  it('take the networks that webhooks may reach, and say what is wrong with an entry', () => {
    expect(readHubSettings({}).webhookAllow).toEqual([]);
    const read = readHubSettings({ SIMPUL_WEBHOOK_ALLOW: '127.0.0.0/8, SU00518=10.1.0.0/16' });
    expect(read.webhookAllow).toEqual(['127.0.0.0/8', 'SU00518=10.1.0.0/16']);
    expect(() => readHubSettings({ SIMPUL_WEBHOOK_ALLOW: '10.1.2.0/16' })).toThrow('write 10.1.0.0/16');
    expect(problemsOf({ SIMPUL_WEBHOOK_ALLOW: 'all', SIMPUL_PORT: 'x' })).toEqual([
      'SIMPUL_PORT',
      'SIMPUL_WEBHOOK_ALLOW',
    ]);
  });

  it('require the addresses of Kafka and Redis with the kafka engine', () => {
    expect(problemsOf({ SIMPUL_ENGINE: 'kafka' })).toEqual(['SIMPUL_KAFKA', 'SIMPUL_REDIS']);
  });

  it.each([
    ['h:9092', ['h:9092']],
    ['h:9092,', ['h:9092']],
    [' a:1 , b:2,,a:1', ['a:1', 'b:2']],
    ['[::1]:9092', ['[::1]:9092']],
    ['10.0.0.7:9092,broker-1.kafka.svc.cluster.local:9092', ['10.0.0.7:9092', 'broker-1.kafka.svc.cluster.local:9092']],
  ])('read the brokers of %p in one way for every client', (list, brokers) => {
    const s = readHubSettings({ SIMPUL_ENGINE: 'kafka', SIMPUL_KAFKA: list, SIMPUL_REDIS: 'redis://h' });
    expect(s.kafka?.brokers).toEqual(brokers);
  });

  it.each([
    'h',
    'h:',
    'h:x',
    'h:0',
    'h:70000',
    '::1:9092',
    '::1',
    '[::1]',
    '[h]:1',
    'PLAINTEXT://h:1',
    'a:1,b',
    ',',
    'a b:1',
    'a:1:2',
  ])('refuse the broker list %p by name', (list) => {
    expect(problemsOf({ SIMPUL_ENGINE: 'kafka', SIMPUL_KAFKA: list, SIMPUL_REDIS: 'redis://h' })).toEqual([
      'SIMPUL_KAFKA',
    ]);
  });

  it('ignore the variables that Kubernetes sets for Services whose name begins with simpul', () => {
    const links = {
      SIMPUL_SERVICE_HOST: '10.96.0.7',
      SIMPUL_SERVICE_PORT: '8080',
      SIMPUL_SERVICE_PORT_HTTP: '8080',
      SIMPUL_PORT: 'tcp://10.96.0.7:8080',
      SIMPUL_PORT_8080_TCP: 'tcp://10.96.0.7:8080',
      SIMPUL_PORT_8080_TCP_PROTO: 'tcp',
      SIMPUL_PORT_8080_TCP_PORT: '8080',
      SIMPUL_PORT_8080_TCP_ADDR: '10.96.0.7',
      SIMPUL_KAFKA_SERVICE_HOST: '10.96.0.8',
      SIMPUL_KAFKA_PORT: 'tcp://10.96.0.8:9092',
      SIMPUL_REDIS_PORT_6379_TCP_ADDR: '10.96.0.9',
    };
    expect(problemsOf(links)).toEqual([]);
    expect(readHubSettings(links).port).toBe(8080);
    expect(problemsOf({ SIMPUL_PORTS: '1', SIMPUL_KAFKA_PORT: '9092' })).toEqual(['SIMPUL_PORTS', 'SIMPUL_KAFKA_PORT']);
  });

  it('say how other processes reach this one: as told, else where it listens, by the name of the machine for every address, and nowhere for a free port', () => {
    const addressOf = (env: NodeJS.ProcessEnv): string => readHubSettings(env).address;
    expect(addressOf({})).toBe('http://127.0.0.1:8080');
    expect(addressOf({ SIMPUL_HOST: '::1', SIMPUL_PORT: '81' })).toBe('http://[::1]:81');
    expect(addressOf({ SIMPUL_HOST: '0.0.0.0' })).toBe(`http://${hostname()}:8080`);
    expect(addressOf({ SIMPUL_PORT: '0' })).toBe('');
    expect(addressOf({ SIMPUL_PORT: '0', SIMPUL_ADDRESS: 'https://hub-2.example:8443' })).toBe(
      'https://hub-2.example:8443',
    );
    for (const SIMPUL_ADDRESS of ['hub-2:8080', 'http://a:b@hub-2', 'http://hub-2/v1', 'ftp://hub-2'])
      expect(() => readHubSettings({ SIMPUL_ADDRESS })).toThrow(/SIMPUL_ADDRESS/);
  });

  it('take proxies by address, network or named range, never by host name or "true"', () => {
    const trusted = (list: string) => readHubSettings({ SIMPUL_TRUST_PROXY: list }).trustProxy;
    expect(trusted('10.0.0.5, 10.1.0.0/16,fd00::/8,loopback')).toEqual([
      '10.0.0.5',
      '10.1.0.0/16',
      'fd00::/8',
      'loopback',
    ]);
    expect(readHubSettings({}).trustProxy).toEqual([]);
    for (const bad of ['true', '1', 'proxy.example', '10.0.0.0/33', '10.0.0.0/', '*'])
      expect(problemsOf({ SIMPUL_TRUST_PROXY: bad })).toEqual(['SIMPUL_TRUST_PROXY']);
  });

  it('keep idle connections for 72 seconds unless told otherwise', () => {
    expect([readHubSettings({}).keepAliveMs, readHubSettings({ SIMPUL_KEEP_ALIVE: '120' }).keepAliveMs]).toEqual([
      72_000, 120_000,
    ]);
    expect(problemsOf({ SIMPUL_KEEP_ALIVE: '0' })).toEqual(['SIMPUL_KEEP_ALIVE']);
  });

  it('never reveal a secret in JSON or text', () => {
    const s = readHubSettings({
      SIMPUL_ENGINE: 'kafka',
      SIMPUL_KAFKA: 'a:1,b:2',
      SIMPUL_REDIS: 'redis://:hush@h',
      SIMPUL_KAFKA_SASL: 'SCRAM-SHA-512:app:hu:sh',
    });
    expect(JSON.stringify(s)).not.toMatch(/hush|hu:sh/);
    expect(s.kafka?.brokers).toEqual(['a:1', 'b:2']);
    expect(s.kafka?.sasl?.password.reveal()).toBe('hu:sh');
    expect(String(new Secret('x'))).toBe('••••');
  });

  it('select Indonesian unless the locale is English', () => {
    expect([readLanguage({}), readLanguage({ LANG: 'en_US.UTF-8' }), readLanguage({ LANG: 'C.UTF-8' })]).toEqual([
      'id',
      'en',
      'id',
    ]);
  });
});
