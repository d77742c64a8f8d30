import { createHash } from 'node:crypto';
import type { HubClient, SeenEvent } from './hub-client.js';
import { idOf } from './history.js';

/** A record of the log. */
export interface LogLine {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly digest: string;
}

export interface WholeLog {
  readonly byPosition: ReadonlyMap<string, LogLine>;
  /** First records of each (source, id): one, unless the same id was used for other content. */
  readonly firsts: ReadonlyMap<string, readonly LogLine[]>;
  /** Positions of later records with the same source, id, type and content (R2.1). */
  readonly copies: ReadonlySet<string>;
  /** Events that readers get, by partition in offset order. */
  readonly shown: readonly SeenEvent[];
}

export const positionOf = (l: { stream: string; partition: number; offset: bigint }): string =>
  `${l.stream}/${l.partition}/${l.offset}`;

function place(position: string): { stream: string; partition: number; offset: bigint } {
  const [stream = '', partition = '', offset = ''] = position.split('/');
  return { stream, partition: Number(partition), offset: BigInt(offset) };
}

/** SHA-256(uint32 big-endian(length of key) ‖ key ‖ value), as hex. */
export function sha(key: Buffer, value: Buffer): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(key.length);
  return createHash('sha256').update(length).update(key).update(value).digest('hex');
}

const byPlace = (a: SeenEvent, b: SeenEvent): number => {
  const p = place(a.position);
  const q = place(b.position);
  if (p.stream !== q.stream) return p.stream < q.stream ? -1 : 1;
  return p.partition - q.partition || (p.offset < q.offset ? -1 : p.offset > q.offset ? 1 : 0);
};

/** Reads every stream twice: as Avro bytes with copies, and as readers get it. Reports wrong digests to `problem`. */
export async function readLog(hub: HubClient, problem: (text: string) => void): Promise<WholeLog> {
  const byPosition = new Map<string, LogLine>();
  const lines: LogLine[] = [];
  const shown: SeenEvent[] = [];
  for (const stream of await hub.streams()) {
    for await (const e of hub.events(stream, '&copies=true&encoding=avro')) {
      const digest = sha(Buffer.from(e.subject, 'utf8'), Buffer.from(e.data_base64 ?? '', 'base64'));
      if (e.digest !== `sha-256:${digest}`) problem(`digest of ${e.position} is not that of its key and value`);
      const line = { ...place(e.position), source: e.source, id: e.id, type: e.type, subject: e.subject, digest };
      if (byPosition.has(e.position)) problem(`${e.position} was given twice in one reading`);
      byPosition.set(e.position, line);
      lines.push(line);
    }
    for await (const e of hub.events(stream, '')) shown.push(e);
  }
  shown.sort(byPlace);
  lines.sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0));
  const firsts = new Map<string, LogLine[]>();
  const copies = new Set<string>();
  for (const line of lines) {
    const known = firsts.get(idOf(line)) ?? [];
    const same = known.some((k) => k.stream === line.stream && k.type === line.type && k.digest === line.digest);
    if (same) copies.add(positionOf(line));
    else firsts.set(idOf(line), [...known, line]);
  }
  return { byPosition, firsts, copies, shown };
}
