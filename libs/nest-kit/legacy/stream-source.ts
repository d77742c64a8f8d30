import { jittered, pause } from '#concurrency';
import { streamOf } from '#event';
import type { Reader, ReadEvent } from '#sdk';
import type { Deliver, EventSource } from './event-source.js';

/** Where an app stores how far it has read: one cursor for each stream, for example in a file or a table. */
export interface Places {
  load(stream: string): string | undefined | Promise<string | undefined>;
  save(stream: string, cursor: string): void | Promise<void>;
}

export interface StreamSourceReport {
  /** A handler failed; the batch is delivered again after `retryMs`. SimpulServer tells it too. */
  handlerFailed?(type: string, cause: unknown): void;
  /**
   * Positions of records that the hub cannot read any more: no handler gets them. Told before the place behind them is stored, so after a crash it may be told
   * again.
   * @default a line on stderr for each
   */
  damaged?(stream: string, positions: readonly string[]): void;
}

export interface StreamSourceOptions {
  readonly reader: Pick<Reader, 'pages'>;
  /** Event types to read; each needs a handler. */
  readonly types: readonly string[];
  readonly places: Places;
  /** Where a stream without a stored cursor begins: `earliest`, `latest`, a time, a position. @default earliest */
  readonly from?: string;
  /** Wait before a failed batch is delivered again. @default 1,000 ms */
  readonly retryMs?: number;
  readonly report?: StreamSourceReport;
}

/**
 * Reads streams of the hub through the SDK and delivers batches of one event type, in the order of the stream (`@Batch()` gives `ReadEvent[]`).
 * At-least-once: a cursor is stored only after every batch of its page was handled, so after a crash the last page may come again and handlers must
 * be idempotent. A failed batch is delivered again and holds back its stream, no other stream.
 */
export class StreamSource implements EventSource {
  readonly #options: StreamSourceOptions;
  readonly #stop = new AbortController();

  constructor(options: StreamSourceOptions) {
    this.#options = options;
  }

  /**
   * Rejects when the hub itself refuses to give a stream (4xx), or a cursor cannot be loaded or stored. Everything that only stands between the app and the
   * hub, such as a 404 of an ingress, is waited for.
   */
  async run(deliver: Deliver): Promise<void> {
    const streams = new Map<string, string[]>();
    for (const type of this.#options.types) streams.set(streamOf(type), [...(streams.get(streamOf(type)) ?? []), type]);
    try {
      await Promise.all([...streams].map(([stream, types]) => this.#follow(stream, types, deliver)));
    } catch (cause) {
      if (!this.#stop.signal.aborted) throw cause;
    } finally {
      this.#stop.abort();
    }
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }

  async #follow(stream: string, types: readonly string[], deliver: Deliver): Promise<void> {
    const { reader, places, from = 'earliest' } = this.#options;
    const { signal } = this.#stop;
    const cursor = await places.load(stream);
    const at = cursor === undefined ? { from } : { cursor };
    for await (const page of reader.pages(stream, { ...at, type: types, follow: true, signal })) {
      for (const batch of runsOfOneType(page.events)) await this.#deliverUntilHandled(batch, deliver);
      if (signal.aborted) return;
      if (page.damaged !== undefined) (this.#options.report?.damaged ?? printDamaged)(stream, page.damaged);
      await places.save(stream, page.next);
    }
  }

  async #deliverUntilHandled(batch: readonly ReadEvent[], deliver: Deliver): Promise<void> {
    const { retryMs = 1_000, report } = this.#options;
    const { signal } = this.#stop;
    const { type } = batch[0]!;
    while (!signal.aborted) {
      try {
        await deliver(type, batch, signal);
        return;
      } catch (cause) {
        report?.handlerFailed?.(type, cause);
        await pause(jittered(retryMs), signal);
      }
    }
  }
}

function printDamaged(_stream: string, positions: readonly string[]): void {
  for (const position of positions) process.stderr.write(`corrupt_record ${position}\n`);
}

function runsOfOneType(events: readonly ReadEvent[]): ReadEvent[][] {
  const runs: ReadEvent[][] = [];
  for (const e of events) {
    const run = runs.at(-1);
    if (run?.[0]?.type === e.type) run.push(e);
    else runs.push([e]);
  }
  return runs;
}
