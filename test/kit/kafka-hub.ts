import { CORE, CoreModule, type Core } from '#core';
import { GatewayModule } from '#gateway';
import { openHttp } from '#http';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from './hub/hub-module.js';

/** Why no hub on Kafka can run in this process; undefined when one can. */
export function noKafkaHub(): string | undefined {
  if (process.env['CI'] !== undefined) return undefined;
  const missing = ['SIMPUL_TEST_KAFKA', 'SIMPUL_TEST_REDIS'].filter((name) => !process.env[name]);
  return missing.length === 0 ? undefined : `no ${missing.join(' and ')}`;
}

export interface KafkaHub {
  readonly core: Core;
  readonly url: string;
  readonly brokers: readonly string[];
  readonly prefix: string;
  /** An API key made with the admin key. */
  key(unit: string, ...roles: string[]): Promise<string>;
  /** Publishes events in one request; answers their positions. */
  publish(key: string, events: readonly object[]): Promise<readonly string[]>;
  /** All that a key sees of a stream, page by page. */
  readAll(key: string, stream: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Appends the record at this position once more, as a gateway does that could not look into the index. */
  repeat(position: string): Promise<void>;
  close(): Promise<void>;
}

/** A hub with all roles in this process, on Kafka and Redis. `more`: settings beside those. */
export async function kafkaHub(
  brokers = (process.env['SIMPUL_TEST_KAFKA'] ?? '').split(','),
  prefix = `q${Math.random().toString(36).slice(2, 10)}.`,
  more: Readonly<Record<string, string>> = {},
): Promise<KafkaHub> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-hub-'));
  const settings = readHubSettings({
    ...silentHub(dir),
    SIMPUL_ENGINE: 'kafka',
    SIMPUL_KAFKA: brokers.join(','),
    SIMPUL_KAFKA_PREFIX: prefix,
    SIMPUL_REDIS: process.env['SIMPUL_TEST_REDIS'] ?? '',
    ...more,
  });
  @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule] })
  class HubModule {}
  const http = await openHttp(HubModule, { port: 0 });
  const core = http.app.get<Core>(CORE, { strict: false });
  const call = async (path: string, key: string, body?: unknown, type = 'application/json'): Promise<unknown> => {
    const answer = await fetch(http.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
  return {
    core,
    url: http.url,
    brokers,
    prefix,
    async key(unit, ...roles) {
      const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
      const made = await call('/v1/keys', admin, { unit, system: 'uji', roles });
      return (made as { key: string }).key;
    },
    async publish(key, events) {
      const answer = await call('/v1/events', key, events, 'application/cloudevents-batch+json');
      return (answer as { receipts: { position: string }[] }).receipts.map((r) => r.position);
    },
    async readAll(key, stream) {
      const all: Record<string, unknown>[] = [];
      for (let query = 'from=earliest'; ;) {
        const page = (await call(`/v1/streams/${stream}/events?limit=500&${query}`, key)) as {
          events: Record<string, unknown>[];
          next: string;
          incomplete?: boolean;
        };
        all.push(...page.events);
        if (page.events.length === 0 && page.incomplete !== true) return all;
        query = `cursor=${encodeURIComponent(page.next)}`;
      }
    },
    async repeat(position) {
      const [stream, partition, offset] = position.split('/') as [string, string, string];
      const read = await core.log.read(stream, Number(partition), BigInt(offset), { maxRecords: 1 });
      if (read.kind !== 'records') throw new Error(read.kind);
      const { key, value, headers } = read.records[0]!;
      await core.log.append(stream, Number(partition), [{ key, value, headers }]);
    },
    async close() {
      await http.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
