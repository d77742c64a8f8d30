import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import type { Header } from '#event';
import type {
  AssignedPartition,
  EventLog,
  GroupMember,
  LogRecord,
  NewRecord,
  Interruption,
  ReadAnswer,
  RecordBatch,
  StartPlace,
} from '../index.js';
import type { ChildLog } from './harness.js';

export function rec(key: string | null, value: string | Buffer | null, headers: readonly Header[] = []): NewRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers,
  };
}

export function many(count: number, prefix = 'v'): NewRecord[] {
  return Array.from({ length: count }, (_, i) => rec(`k${i}`, `${prefix}${i}`));
}

export function text(record: LogRecord | undefined): string | undefined {
  return record?.value?.toString();
}

/** Polls until the answer is neither undefined nor false. Throws after the limit and names what it waited for. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  limitMs = 40_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer as NonNullable<Exclude<T, false>>;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(20);
  }
}

/** Appends; throws unless the outcome is `accepted`. */
export async function put(
  log: EventLog,
  topic: string,
  partition: number,
  records: readonly NewRecord[],
): Promise<bigint> {
  const done = await log.append(topic, partition, records);
  if (done.kind !== 'accepted') throw new Error(`append was ${done.kind}`, { cause: done });
  return done.base;
}

/** Every record of a partition from `from` (default: the low offset) to the present high offset. */
export async function readAll(log: EventLog, topic: string, partition = 0, from?: bigint): Promise<LogRecord[]> {
  const range = (await log.describe(topic))[partition];
  if (!range) throw new Error('no such partition');
  const out: LogRecord[] = [];
  let at = from ?? range.low;
  while (at < range.high) {
    const batch = await log.read(topic, partition, at);
    if (batch.kind !== 'records') throw new Error(batch.kind, { cause: batch });
    out.push(...batch.records);
    if (batch.next <= at) break;
    at = batch.next;
  }
  return out;
}

export async function records(read: Promise<ReadAnswer>): Promise<RecordBatch> {
  const batch = await read;
  if (batch.kind !== 'records') throw new Error(batch.kind, { cause: batch });
  return batch;
}

const keyOf = (at: { topic: string; partition: number }): string => `${at.topic}/${at.partition}`;

/** A member that keeps its positions as a state store does: several members of a group share one map. */
export class Reader implements GroupMember {
  readonly starts: AssignedPartition[] = [];
  readonly seen: { at: AssignedPartition; record: LogRecord }[] = [];
  readonly gone: AssignedPartition[] = [];
  readonly interruptions: { at: AssignedPartition; why: Interruption }[] = [];
  readonly #held = new Map<string, AssignedPartition>();
  readonly positions: Map<string, bigint>;
  /** Runs before the batch is recorded; what it answers replaces the outcome, and the batch is then not recorded. */
  onBatch:
    | ((
        at: AssignedPartition,
        batch: RecordBatch,
        signal: AbortSignal,
      ) => Promise<{ next: bigint; waitMs?: number } | void>)
    | undefined;
  onStart: ((at: AssignedPartition) => Promise<void>) | undefined;

  constructor(positions = new Map<string, bigint>()) {
    this.positions = positions;
  }

  async start(at: AssignedPartition): Promise<StartPlace> {
    await this.onStart?.(at);
    this.starts.push(at);
    this.#held.set(keyOf(at), at);
    return { offset: this.positions.get(keyOf(at)) ?? 0n };
  }

  async batch(
    at: AssignedPartition,
    batch: RecordBatch,
    signal: AbortSignal,
  ): Promise<{ next: bigint; waitMs?: number }> {
    const instead = await this.onBatch?.(at, batch, signal);
    if (instead) return instead;
    for (const record of batch.records) this.seen.push({ at, record });
    this.positions.set(keyOf(at), batch.next);
    return { next: batch.next };
  }

  lost(at: AssignedPartition): void {
    this.gone.push(at);
    this.#held.delete(keyOf(at));
  }

  interrupted(at: AssignedPartition, why: Interruption): void {
    this.interruptions.push({ at, why });
  }

  /** The partitions that were started and not lost since, ascending. */
  held(topic: string): AssignedPartition[] {
    return [...this.#held.values()].filter((at) => at.topic === topic).sort((a, b) => a.partition - b.partition);
  }

  values(topic?: string, partition?: number): string[] {
    return this.seen
      .filter(
        (s) =>
          (topic === undefined || s.at.topic === topic) && (partition === undefined || s.at.partition === partition),
      )
      .map((s) => text(s.record) ?? '');
  }
}

/** A child process that has opened the same log (child.ts): commands and answers are JSON lines. */
export class Child {
  readonly process: ChildProcess;
  readonly lines: unknown[] = [];
  #errors = '';

  /** `script` is what the process runs; another suite gives one of its own. */
  constructor(
    child: ChildLog,
    command: string,
    argument: unknown,
    script: URL = new URL('./child.ts', import.meta.url),
  ) {
    this.process = spawn(
      process.execPath,
      [
        '--conditions=simpul-source',
        '--disable-warning=ExperimentalWarning',
        '--import',
        new URL('./sources.mjs', import.meta.url).href,
        fileURLToPath(script),
        JSON.stringify({ ...child, command, argument }),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let rest = '';
    this.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) this.lines.push(JSON.parse(line));
    });
    this.process.stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.#errors += chunk));
  }

  send(line: unknown): void {
    this.process.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  /** The output line with this number; waits for it. */
  async line<T>(index: number): Promise<T> {
    return (await until(`line ${index} of the child`, () => {
      if (this.lines.length <= index && this.process.exitCode !== null) throw new Error(`child ended: ${this.#errors}`);
      return this.lines[index];
    })) as T;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const end = once(this.process, 'close');
    this.process.kill(signal);
    await end;
  }
}
