import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from '@jest/globals';
import { Metrics, openLogger, type Logger } from '#telemetry';
import { Concerns } from './concerns.js';
import { embeddedLogReport, embeddedStateReport } from './embedded-report.js';
import { kafkaReport, redisReport } from './engine.js';
import { tableReport } from './table-report.js';

const REDACTED = '••••';
const at = { topic: '_simpul.keys', partition: 3 };
const cause = new Error('sebab');

function written(work: (logger: Logger, metrics: Metrics) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  work(openLogger('debug', 'uji', stream), new Metrics('uji'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('an alarm names the topic, the row and the place in the line as it is written: nothing of it is redacted', () => {
  const lines = written((logger, metrics) => {
    const concerns = new Concerns();
    const table = tableReport(logger, metrics, concerns);
    table.unreadable?.({ topic: '_simpul.keys', key: '9f3a', offset: 41n, cause });
    table.stuck?.({ ...at, cause });
    table.followed?.(at);
    table.earlierCopies?.({ streams: 2 } as never);
    const kafka = kafkaReport(logger, metrics, concerns);
    const concern = { setting: 'min.insync.replicas', actual: '1', needed: '2', command: 'kafka-configs.sh …' };
    kafka.topicConcern?.({ topic: 'imigrasi.paspor', check: 'min-insync', breaks: true, ...concern });
    kafka.batchUnreadable?.('imigrasi.paspor', 3, { first: 1n, last: 2n, reason: 'lz4' });
    kafka.transactionOpen?.({ ...at, lastStable: 1n, highWatermark: 9n, openMs: 60_000 });
    kafka.memberFailed?.({ ...at, epoch: 1n } as never, cause);
    kafka.readFailed?.({ ...at, epoch: 1n } as never, cause);
    const redis = redisReport(logger, metrics);
    redis.untrusted?.('127.0.0.1:6379', 'maxmemory-policy allkeys-lru');
    redis.evicted?.('127.0.0.1:6379', 7);
    redis.damaged?.({ view: 'layanan.kasus-papan@1', partition: 0, key: '{x:0}:2-aside' }, 'set', cause);
    redis.damagedRows?.(3);
    embeddedLogReport(logger, metrics).damaged?.({ ...at, first: 7n, last: 9n });
    embeddedStateReport(logger, metrics).setAside?.('state.sqlite.set-aside-1', 'malformed');
  });
  expect(lines.filter((line) => JSON.stringify(line).includes(REDACTED))).toEqual([]);
  expect(lines).toHaveLength(15);
  expect(lines).toContainEqual(
    expect.objectContaining({ code: 'control_record_unreadable', topic: '_simpul.keys', row: '9f3a', offset: '41' }),
  );
  expect(lines).toContainEqual(
    expect.objectContaining({ code: 'topic_unsafe', kafkaTopic: 'imigrasi.paspor', setting: 'min.insync.replicas' }),
  );
});

it('no line of the log has a field whose name the logger redacts', () => {
  const root = resolve(import.meta.dirname, '../..');
  const bad: string[] = [];
  for (const file of globSync('{libs,apps}/**/*.ts', { cwd: root })) {
    if (file.endsWith('.spec.ts')) continue;
    const text = readFileSync(resolve(root, file), 'utf8');
    for (const call of text.matchAll(/\blogger\.(?:debug|info|warn|error)\(\s*\{([^}]*)\}/g))
      if (/\b(?:key|subject|data|password|authorization)\s*(?:[,:]|$)/.test(call[1]!.trim()))
        bad.push(`${file}: ${call[1]!.trim()}`);
  }
  expect(bad).toEqual([]);
});
