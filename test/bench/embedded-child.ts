/** Appends durable batches to the embedded log or to a bare SQLite table. argv: variant folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { digestOf, toHeaders } from '#event';
import type { NewRecord } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { CASE_TYPE, caseEvent } from './case-event.js';
import { serve } from './child.js';
import { catalogueOfFiles, PARTITIONS } from './contracts.js';

export interface EmbeddedRequest {
  readonly batch: number;
  readonly batches: number;
}

const [variant = '', dir = ''] = process.argv.slice(2);
mkdirSync(dir, { recursive: true });
const type = catalogueOfFiles().newest(CASE_TYPE)!;

function recordsOf(count: number): NewRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const event = JSON.parse(caseEvent('e', n)) as {
      id: string;
      source: string;
      time: string;
      data: Record<string, unknown>;
    };
    const subject = String(event.data['nomorKasus']);
    const key = Buffer.from(subject);
    const encoded = type.contract.encode(event.data, type.schemaId);
    if (!encoded.ok) throw new Error('the event does not fit its contract');
    const value = Buffer.from(encoded.value);
    const headers = toHeaders(
      { ...event, type: CASE_TYPE, subject, dataschema: `urn:simpul:schema:${CASE_TYPE}:1`, extensions: {} },
      { digest: digestOf(key, value), recordedtime: '2021-07-07T01:42:47.000Z' },
    );
    return { key, value, headers };
  });
}

async function openOurs(): Promise<(batch: readonly NewRecord[], n: number) => Promise<void>> {
  const log = await openEmbeddedLog({ dir });
  await log.ensureTopic({ name: 'bench.batch', partitions: PARTITIONS, cleanup: 'keep' });
  return async (batch, n) => {
    const done = await log.append('bench.batch', n % PARTITIONS, batch);
    if (done.kind !== 'accepted') throw new Error(`append: ${done.kind}`);
  };
}

/** The simple design: one row per event, one transaction per batch, durable at commit. Headers are bytes already. */
function openBare(): (batch: readonly NewRecord[]) => Promise<void> {
  const db = new DatabaseSync(join(dir, 'bare.sqlite'));
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
  db.exec('CREATE TABLE event (at INTEGER PRIMARY KEY, time INTEGER, key BLOB, value BLOB, headers BLOB) STRICT');
  const insert = db.prepare('INSERT INTO event (time, key, value, headers) VALUES (?, ?, ?, ?)');
  const headerBytes = new WeakMap<NewRecord, Buffer>();
  const bytesOf = (r: NewRecord): Buffer => {
    let bytes = headerBytes.get(r);
    if (!bytes)
      headerBytes.set(
        r,
        (bytes = Buffer.concat(r.headers.flatMap(([name, v]) => [Buffer.from(name), v ?? Buffer.alloc(0)]))),
      );
    return bytes;
  };
  return (batch) => {
    const now = Date.now();
    db.exec('BEGIN IMMEDIATE');
    for (const r of batch) insert.run(now, r.key, r.value, bytesOf(r));
    db.exec('COMMIT');
    return Promise.resolve();
  };
}

const append = variant === 'simpul' ? await openOurs() : openBare();
const records = recordsOf(500);

serve<EmbeddedRequest>(async ({ batch, batches }) => {
  const one = records.slice(0, batch);
  const began = performance.now();
  for (let n = 0; n < batches; n++) await append(one, n);
  return { events: batch * batches, seconds: (performance.now() - began) / 1000 };
});
