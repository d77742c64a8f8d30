import { setTimeout as pause } from 'node:timers/promises';
import { streamOf } from '#event';
import type { Reader, ReadEvent } from '#sdk';
import type { Deliver, EventSource } from './event-source.js';

/** Where an app keeps how far it has come, one cursor a stream: a file, a table. */
export interface Places {
  load(stream: string): string | undefined | Promise<string | undefined>;
  save(stream: string, cursor: string): void | Promise<void>;
}

export interface StreamSourceOptions {
  readonly reader: Reader;
  /** Event types to read; each needs a handler. */
  readonly types: readonly string[];
  readonly places: Places;
  /** Where a stream without a place begins. @default earliest */
  readonly from?: string;
  /** Wait before a failed batch is handed over again. @default 1,000 ms */
  readonly againMs?: number;
  /** A handler failed; the batch is handed over again. */
  readonly onFault?: (type: string, cause: unknown) => void;
}

/**
 * Reads streams of the hub through the SDK and hands over batches of one event type, in the order of the stream (`@Batch()` gives `ReadEvent[]`).
 * The place moves only behind batches whose handler has finished, so after a crash the last page may come again: handlers must
 * bear an event twice. A failed batch is handed over again and holds up its stream, no other.
 */
export class StreamSource implements EventSource {
  readonly #options: StreamSourceOptions;
  readonly #stop = new AbortController();

  constructor(options: StreamSourceOptions) {
    this.#options = options;
  }

  /** Rejects when the hub refuses to give a stream (4xx). */
  async run(deliver: Deliver): Promise<void> {
    const streams = Map.groupBy(this.#options.types, streamOf);
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
      for (const batch of runsOfOneType(page.events)) await this.#hand(batch, deliver);
      if (signal.aborted) return;
      await places.save(stream, page.next);
    }
  }

  async #hand(batch: readonly ReadEvent[], deliver: Deliver): Promise<void> {
    const { againMs = 1_000, onFault } = this.#options;
    const { signal } = this.#stop;
    const { type } = batch[0]!;
    while (!signal.aborted) {
      try {
        await deliver(type, batch, signal);
        return;
      } catch (cause) {
        onFault?.(type, cause);
        await pause(againMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
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
