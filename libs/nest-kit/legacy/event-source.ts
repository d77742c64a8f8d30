/**
 * Where SimpulServer gets its batches from, for example streams of the hub (StreamSource).
 * `run` gives every batch to `deliver` and resolves after stop(); when it ends at another time, SimpulServer takes that for the end of the source and
 * tells it. When `deliver` rejects, the source must not move its position past
 * that batch: it delivers the batch again.
 */
export interface EventSource {
  run(deliver: Deliver): Promise<void>;
  /** Finishes the batches in work, then `run` resolves. Idempotent. */
  stop(): Promise<void>;
}

/** Gives a batch of one event type to its handler; resolves with the handler's answer. `signal` aborts when the source gives the batch to somebody else. */
export type Deliver = (type: string, batch: unknown, signal: AbortSignal) => Promise<unknown>;
