import type { EventLog, NewRecord, WriteOutcome, Writer } from '#log';
import { Child, readAll, text, type Harness } from '#log/conformance';
import { standsStill } from '../../../test/kit/stands-still.js';
import {
  openOwnedTable,
  openTable,
  type OwnedTable,
  type OwnedTableOptions,
  type Table,
  type TableOptions,
} from '../index.js';
import { COUNTER, NOTES } from './rows.js';

export type Note = OwnedTable<string>;

/** One log for the whole suite; for each case its own topic and the tables that it opened. */
export class TableBench {
  readonly harness: Harness;
  readonly log: EventLog;
  topic = '';
  readonly #logs: EventLog[] = [];
  readonly #tables: { close(): Promise<void> }[] = [];
  readonly #children: Child[] = [];

  constructor(harness: Harness, log: EventLog) {
    this.harness = harness;
    this.log = log;
  }

  /** A second connection to the same log, like another process has. */
  async otherLog(): Promise<EventLog> {
    const log = await this.harness.open();
    this.#logs.push(log);
    return log;
  }

  async counter(log = this.log, more: Partial<TableOptions<number>> = {}): Promise<Table<number>> {
    return this.#keep(await openTable({ log, topic: this.topic, ...COUNTER, ...more }));
  }

  async notes(log = this.log, more: Partial<OwnedTableOptions<string>> = {}): Promise<Note> {
    return this.#keep(await openOwnedTable({ log, topic: this.topic, ...NOTES, ...more }));
  }

  /** A child process that has opened the table. */
  async child(mode: 'fenced' | 'owned', epoch?: number): Promise<Child> {
    const script = new URL('./child.ts', import.meta.url);
    const child = new Child(this.harness.child, mode, { topic: this.topic, epoch }, script);
    this.#children.push(child);
    await child.line(0);
    return child;
  }

  /** Pauses a process (SIGSTOP) and waits until none of its threads runs. */
  async pause(child: Child): Promise<void> {
    child.process.kill('SIGSTOP');
    await standsStill(child.process.pid!);
  }

  /** The values of the topic in log order. */
  async values(): Promise<(string | undefined)[]> {
    return (await readAll(this.log, this.topic)).map(text);
  }

  /** The records that compaction finally keeps: the last one of each key. */
  async compacted(): Promise<ReadonlyMap<string, string | undefined>> {
    return new Map((await readAll(this.log, this.topic)).map((r) => [r.key?.toString() ?? '', text(r)]));
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    const done = await this.log.append(this.topic, 0, records);
    if (done.kind !== 'accepted') throw new Error(`append: ${done.kind}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.splice(0).map((c) => c.kill()));
    await Promise.all(this.#tables.splice(0).map((t) => t.close()));
    await Promise.all(this.#logs.splice(0).map((l) => l.close()));
  }

  #keep<T extends { close(): Promise<void> }>(table: T): T {
    this.#tables.push(table);
    return table;
  }
}

/** The record of a note as an owner of this epoch writes it. */
export function noteRecord(key: string, note: string, epoch: bigint): NewRecord {
  return { key: Buffer.from(key), value: NOTES.serialise(note, epoch, key), headers: [] };
}

/** A log whose appends pass through `append` first. */
export function withAppend(
  log: EventLog,
  append: (...args: Parameters<EventLog['append']>) => ReturnType<EventLog['append']>,
): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A log whose claims are handed to `wrap`. */
function withClaim(log: EventLog, wrap: (claim: () => Promise<Writer>) => Promise<Writer>): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'claim') return (topic: string) => wrap(() => target.claim(topic));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A log that counts its claims. */
export function countClaims(log: EventLog): { readonly log: EventLog; readonly claims: () => number } {
  let claims = 0;
  const counted = withClaim(log, (claim) => {
    claims++;
    return claim();
  });
  return { log: counted, claims: () => claims };
}

/** A log whose fenced writes pass through `write` first. */
export function withWriter(
  log: EventLog,
  write: (original: () => Promise<WriteOutcome>) => Promise<WriteOutcome>,
): EventLog {
  return withClaim(log, async (claim) => {
    const writer = await claim();
    return {
      topic: writer.topic,
      write: (records) => write(() => writer.write(records)),
      release: () => writer.release(),
    };
  });
}
