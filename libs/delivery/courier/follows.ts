import { jittered, pause } from '#concurrency';
import type { StreamInfo } from '#registry';
import type { CursorRow } from '../port.js';
import type { Run } from './run.js';

const AGAIN_MS = 1_000;

export interface FollowsDeps {
  /** The streams that the subscription of a run reads now. */
  readonly streamsOf: (run: Run) => readonly string[];
  readonly streamOf: (name: string) => StreamInfo | undefined;
  readonly cursor: (subscription: string, stream: string) => CursorRow | undefined;
  /** Why nothing of a run may go on: the key of a stored record that cannot be read. undefined: it may. */
  readonly damaged: (subscription: string, streams: readonly string[]) => string | undefined;
  readonly halt: (run: Run, why: string) => void;
  readonly beginning: (stream: StreamInfo) => Promise<CursorRow>;
  readonly store: (subscription: string, stream: string, row: CursorRow) => Promise<void>;
  /** Whether the run still delivers for its subscription. */
  readonly isCurrent: (run: Run) => boolean;
  /** Aborts when the partition is lost or closes. */
  readonly signal: AbortSignal;
  readonly failed?: ((cause: unknown) => void) | undefined;
}

/** Which streams runs follow. */
export class Follows {
  readonly #deps: FollowsDeps;
  /** Runs that try again in a moment. */
  readonly #later = new Set<Run>();

  constructor(deps: FollowsDeps) {
    this.#deps = deps;
  }

  /** Follows what a run does not follow yet; what cannot be read now as soon as it can. Of what is stored of it nothing is begun anew (R4.7): it halts. Never rejects. */
  async all(run: Run): Promise<void> {
    const { streamsOf, damaged, halt, failed } = this.#deps;
    const streams = streamsOf(run);
    const key = damaged(run.subscription.id, streams);
    if (key !== undefined) return halt(run, `control_record_unreadable: ${key}`);
    for (const name of streams)
      try {
        await this.#one(run, name);
      } catch (cause) {
        failed?.(cause);
        void this.#again(run);
      }
  }

  async #one(run: Run, name: string): Promise<void> {
    const { streamOf, cursor, beginning, store, isCurrent } = this.#deps;
    const { id } = run.subscription;
    const stream = streamOf(name);
    if (stream === undefined || run.streams.has(name)) return;
    let row = cursor(id, name);
    if (row === undefined) {
      // The stream, or the type in it, is younger than the subscription.
      row = await beginning(stream);
      if (!isCurrent(run)) return;
      await store(id, name, row);
    }
    if (isCurrent(run) && !run.streams.has(name)) run.follow(stream, row);
  }

  async #again(run: Run): Promise<void> {
    const { signal, isCurrent } = this.#deps;
    if (this.#later.has(run)) return;
    this.#later.add(run);
    await pause(jittered(AGAIN_MS), signal);
    this.#later.delete(run);
    if (!signal.aborted && isCurrent(run)) await this.all(run);
  }
}
