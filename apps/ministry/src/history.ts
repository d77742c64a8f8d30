import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { streamOf } from '#event';
import type { ReadEvent, Step } from '#sdk';

export interface HistoryLine {
  readonly type: 'invoke' | 'ok' | 'fail' | 'info';
  readonly process: string;
  readonly source: string;
  readonly id: string;
  readonly evtype: string;
  readonly [more: string]: unknown;
}

/** The history file: one JSON line for each step of a publication, for each event that a directorate received from Kafka, and for each webhook that an office answered, in the order in which they happened. The checker judges order by it. */
export class History {
  readonly #fd: number;
  readonly #now: () => number;
  #lines: string[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(file: string, now: () => number = Date.now) {
    mkdirSync(dirname(file), { recursive: true });
    this.#fd = openSync(file, 'w', 0o600);
    this.#now = now;
    this.#timer = setInterval(() => this.flush(), 100);
    this.#timer.unref();
  }

  write(line: HistoryLine): void {
    this.#lines.push(JSON.stringify({ t: this.#now(), f: 'send', ...line }));
  }

  /** What a process reads straight from Kafka. */
  follows(process: string, evtypes: readonly string[]): void {
    this.write({ type: 'info', f: 'follow', process, source: '', id: '', evtype: '', evtypes });
  }

  /** An event that a process received from there, when its handler has ended. */
  received(process: string, { source, id, type, position }: ReadEvent): void {
    this.write({ type: 'ok', f: 'receive', process, source, id, evtype: type, position });
  }

  /** A subscription that a process made, and the recorded time from which on it is due events. */
  subscribes(process: string, of: Readonly<Record<string, unknown>>): void {
    this.write({ type: 'info', f: 'subscribe', process, source: '', id: '', evtype: '', ...of });
  }

  /** A webhook that a process has answered: `ok` for a status of 2xx. */
  delivered(process: string, subscription: string, event: ReadEvent, webhookId: string, status: number): void {
    const { source, id, type, position } = event;
    const kind = status < 300 ? 'ok' : 'fail';
    const head = { type: kind, f: 'deliver', process, source, id, evtype: type } as const;
    this.write({ ...head, position, subscription, webhookId, status });
  }

  step(process: string, step: Step): void {
    const { event: e } = step;
    const head = { process, source: e.source, id: e.id, evtype: e.type, stream: streamOf(e.type) };
    if (step.kind === 'invoke') this.write({ type: 'invoke', ...head });
    else if (step.kind === 'ok') {
      const { position, digest, duplicate } = step.receipt;
      const own = { position, duplicate, ...(digest === undefined ? {} : { digest }) };
      this.write({ type: 'ok', ...head, status: step.status, ...own });
    } else this.write({ type: step.kind, ...head, status: step.fault.status, code: step.fault.code });
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join('\n')}\n`;
    this.#lines = [];
    writeSync(this.#fd, text);
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    closeSync(this.#fd);
  }
}
