import { createHash } from 'node:crypto';

import type { EventLog, LogRecord } from '#log';
import {
  fold,
  RefusedRing,
  type CompiledView,
  type Contribution,
  type Desk,
  type Refused,
  type Removed,
  type Stored,
} from '#projection';
import { decodeEvent, openRecord, type DecodedEvent, type CatalogueIndex } from '#registry';

class PlainDesk implements Desk {
  readonly spaces = {
    entry: new Map<string, [unknown, DecodedEvent]>(),
    part: new Map<string, [unknown, DecodedEvent]>(),
  };
  entry = (k: string) => this.spaces.entry.get(k)?.[0] as Stored | undefined;
  part = (k: string) => this.spaces.part.get(k)?.[0] as Contribution | undefined;
  putEntry = (k: string, v: Stored | undefined, e: DecodedEvent) => this.#put('entry', k, v, e);
  putPart = (k: string, v: Contribution | undefined, e: DecodedEvent) => this.#put('part', k, v, e);
  removed = (k: string) => this.spaces.part.get(k)?.[0] as Removed | undefined;
  putRemoved = (k: string, v: Removed | undefined, e: DecodedEvent) => this.#put('part', k, v, e);
  readonly #refused = new RefusedRing();
  refuse(refusal: Refused, e: DecodedEvent): void {
    for (const [k, v] of this.#refused.add(refusal, e).rows) this.#put('part', k, v, e);
  }
  #put(space: 'entry' | 'part', k: string, v: unknown, e: DecodedEvent): void {
    if (v === undefined) this.spaces[space].delete(k);
    else this.spaces[space].set(k, [v, e]);
  }
}

async function readAll(log: EventLog, stream: string, partition: number): Promise<LogRecord[]> {
  const out: LogRecord[] = [];
  for (let at = 0n; ;) {
    const read = await log.read(stream, partition, at, { maxRecords: 1_000 });
    if (read.kind !== 'records' || read.next === at) return out;
    out.push(...read.records);
    at = read.next;
  }
}

/** The events of a partition without copies: each (source, id, content) once, at its lowest offset. This is R2.1 in plain code. */
export async function eventsOf(
  log: EventLog,
  catalogue: CatalogueIndex,
  stream: string,
  partition: number,
): Promise<DecodedEvent[]> {
  const seen = new Set<string>();
  const events: DecodedEvent[] = [];
  for (const record of await readAll(log, stream, partition)) {
    const opened = openRecord(record, catalogue);
    if (opened.kind !== 'event') continue;
    const id = `${opened.envelope.source} ${opened.envelope.id} ${opened.envelope.digest.toString('hex')}`;
    if (seen.has(id)) continue;
    seen.add(id);
    events.push(decodeEvent(opened, stream, partition)!);
  }
  return events;
}

/** The value that digestOfView must return for a view, computed from the log only. The streams of a view are folded one after another, because R5.3 allows any order. */
export async function plainDigest(log: EventLog, catalogue: CatalogueIndex, view: CompiledView): Promise<string> {
  const hash = createHash('sha256');
  for (let p = 0; p < view.partitions; p++) {
    const desk = new PlainDesk();
    for (const stream of view.streams) for (const e of await eventsOf(log, catalogue, stream, p)) fold(view, e, desk);
    for (const space of ['entry', 'part'] as const) {
      const keys = [...desk.spaces[space].keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const key of keys) {
        const [value, event] = desk.spaces[space].get(key)!;
        hash.update(
          `${p} ${space} ${key}\n${JSON.stringify(value)}\n${view.streams.length === 1 ? event.position : ''}\n`,
        );
      }
    }
  }
  return hash.digest('hex');
}
