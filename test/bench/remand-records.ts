import { sample } from '#avro';
import { dataschemaUrn, digestOf, partitionOf, pseudonymOf, sourceUrn, toHeaders } from '#event';
import { Appender, type EventLog, type NewRecord } from '#log';
import type { EventType } from '#registry';
import { PARTITIONS } from './contracts.js';

const SUBJECTS = 20_000;
const KEY = Buffer.alloc(32, 7);

/** Fills a stream with records as a gateway writes them: all headers, digest, Avro. Each subject has several events; ids are unique. */
export async function fillStream(log: EventLog, type: EventType, count: number): Promise<void> {
  const appender = new Appender(log);
  const shapes = Array.from({ length: 50 }, (_, seed) => sample(type.contract, seed + 1));
  for (let n = 0; n < count;) {
    const byPartition = new Map<number, NewRecord[]>();
    for (const end = Math.min(n + 2_000, count); n < end; n++) {
      const shape = shapes[n % shapes.length]!;
      const number = `NO-2021-${n % SUBJECTS}`;
      const last = type.subject.at(-1)!;
      const clear = [...type.subject.slice(0, -1).map((name) => String(shape[name])), number].join(':');
      const subject = type.subjectForm === 'pseudonym' ? pseudonymOf(clear, KEY) : clear;
      const key = Buffer.from(subject);
      const encoded = type.contract.encode({ ...shape, [last]: number }, type.schemaId);
      if (!encoded.ok) throw new Error(`invented data of ${type.type} does not fit`);
      const value = Buffer.from(encoded.value);
      const headers = toHeaders(
        {
          id: `b-${n}`,
          source: sourceUrn('SU00100', 'bench'),
          type: type.type,
          subject,
          time: '2021-07-15T03:00:00Z',
          dataschema: dataschemaUrn(type.type, type.version),
          extensions: { unitkode: 'contoh' },
        },
        { digest: digestOf(key, value), recordedtime: '2021-07-15T03:00:01.000Z' },
      );
      const partition = partitionOf(key, PARTITIONS);
      const own = byPartition.get(partition);
      if (own) own.push({ key, value, headers });
      else byPartition.set(partition, [{ key, value, headers }]);
    }
    const done = await Promise.all(
      [...byPartition].map(([partition, records]) =>
        appender.append(type.stream, partition, records, { timeoutMs: 60_000 }),
      ),
    );
    const bad = done.find((d) => d.kind !== 'accepted');
    if (bad) throw new Error(`the stream could not be filled: ${bad.kind}`);
  }
}
