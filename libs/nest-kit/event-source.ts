/**
 * Where a transport gets its batches from: the log of the hub, or a reader of the SDK.
 * `run` resolves when the source has ended; every batch is given to `deliver` and its answer decides where the source goes on.
 * A throw of `deliver` must leave the position where it is.
 */
export interface EventSource {
  run(deliver: Deliver): Promise<void>;
  /** Finishes what is running; `run` resolves. Idempotent. */
  stop(): Promise<void>;
}

/** Gives a batch of one event type to its handler; resolves with what the handler answers. `signal` aborts when the batch was taken away. */
export type Deliver = (type: string, batch: unknown, signal: AbortSignal) => Promise<unknown>;
