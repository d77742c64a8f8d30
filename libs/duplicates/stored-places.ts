import { partitionKey } from '#event';
import type { EventLog } from '#log';
import type { Progress, State } from '#state';
import { confirmsCheckpoint } from './checkpoint.js';

/**
 * What readers may make of a stored checkpoint. `refolding`: its partition was emptied and is folded again, and has not reached the log end of that time.
 * `other_log`: it was folded from a log that is not there. `unknown`: the log did not answer.
 */
export type Standing = 'confirmed' | 'refolding' | 'other_log' | 'unknown';

/** What the log says of a partition at one time. */
export interface LogEnd {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
  readonly topicId: string;
}

interface Compared {
  readonly connection: number;
  readonly topicId: string;
  readonly resetAtMs: number | undefined;
  readonly next: bigint;
  readonly answer: Promise<Standing>;
  /** undefined: confirmed, for as long as nothing of the above changes. */
  goodUntilMs: number | undefined;
}

const NOT_CONFIRMED_MS = 250;

/**
 * Compares stored checkpoints with the log for readers (R5.9), who may look before the projector does. A checkpoint that moved on from a confirmed one is
 * confirmed: it is compared again after a new connection to the store, in another topic, after a reset or a lower position, and when the log end went down.
 */
export class StoredPlaces {
  readonly #compared = new Map<string, Map<string, Compared>>();
  readonly #highs = new Map<string, bigint>();

  constructor(
    private readonly deps: {
      readonly log: Pick<EventLog, 'read' | 'describe'>;
      readonly state: Pick<State, 'connection'>;
      readonly now: () => number;
    },
  ) {}

  /** Never throws. `end`: at most a moment old. */
  async standingOf(storage: string, progress: Progress, end: LogEnd): Promise<Standing> {
    const { stream, next, reset } = progress;
    const { partition, topicId, high } = end;
    const key = partitionKey(stream, partition);
    if (high < (this.#highs.get(key) ?? 0n)) this.#compared.delete(key);
    this.#highs.set(key, high);
    if (reset !== undefined && next < reset.until && next < high) return 'refolding';
    let known = this.#compared.get(key);
    if (known === undefined) this.#compared.set(key, (known = new Map<string, Compared>()));
    const connection = this.deps.state.connection();
    const before = known.get(storage);
    if (
      before?.connection === connection &&
      before.topicId === topicId &&
      before.resetAtMs === reset?.atMs &&
      before.next <= next &&
      (before.goodUntilMs === undefined || this.deps.now() < before.goodUntilMs)
    )
      return before.answer;
    const answer = this.#compare(partition, progress);
    const compared: Compared = { connection, topicId, resetAtMs: reset?.atMs, next, answer, goodUntilMs: undefined };
    known.set(storage, compared);
    const standing = await answer;
    if (standing !== 'confirmed') compared.goodUntilMs = this.deps.now() + NOT_CONFIRMED_MS;
    return standing;
  }

  #compare(partition: number, progress: Progress): Promise<Standing> {
    return confirmsCheckpoint(this.deps.log, partition, progress).then(
      (same) => (same ? 'confirmed' : 'other_log'),
      () => 'unknown',
    );
  }
}
