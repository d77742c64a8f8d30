import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '#faults';
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

  it('require the addresses of Kafka and Redis with the kafka engine', () => {
    expect(problemsOf({ SIMPUL_ENGINE: 'kafka' })).toEqual(['SIMPUL_KAFKA', 'SIMPUL_REDIS']);
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
