import { hubCaller, ownEvent, ownOutcomes } from '#core';
import { jittered, pause } from '#concurrency';
import { parseSource } from '#event';
import { innermostMessage, type Fault } from '#faults';
import type { CompiledView, RefusedEvent } from '#projection';
import type { Offered, Publishing } from '#publishing';
import type { Catalogue } from '#registry';

export const CHANGE_REFUSED = 'simpul.pengawasan.perubahan-ditolak';
const CALLER = hubCaller('watch');
/** The duplicate index knows events of 8 days, so an event that is offered again within 7 is a duplicate. */
const PUBLISHED_FOR_MS = 7 * 24 * 3_600_000;
const BATCH = 100;
/** The log may not answer, and one sender may have any number of events refused: what comes while so many wait is not published. */
const WAITING = 10_000;
const RETRY_MS = 1_000;
const REASONS = {
  not_owner: 'bukan_pemilik',
  too_far_ahead: 'terlalu_jauh_di_depan',
  step_missing: 'langkah_belum_ada',
} as const;

export interface ViewConflictsDeps {
  readonly publishing: Pick<Publishing, 'publish'>;
  readonly catalogue: Pick<Catalogue, 'newest'>;
  readonly now: () => number;
  /** How many events may wait. @default 10,000 */
  readonly waiting?: number;
  readonly report: {
    /** An event can never be published. */
    refused(fault: Fault): void;
    /** The log does not take it now; it is tried again. */
    failed(cause: string): void;
    /** So many events are not published, because too many wait. */
    dropped(events: number): void;
  };
}

/**
 * Publishes `simpul.pengawasan.perubahan-ditolak` for each event that a view refused (R5.10, R5.11) and that was recorded at most 7 days ago; restricted types have no
 * such event. In the background: the list of conflicts in the state is the truth, and this a notice. While 10,000 wait, further ones are dropped
 * and reported; of those the next start offers what the list still keeps. Idempotent: the id is the view and the position, and no
 * other member depends on the attempt.
 */
export class ViewConflicts {
  readonly #waiting: Offered[] = [];
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(private readonly deps: ViewConflictsDeps) {}

  /** Returns at once. */
  offer(view: CompiledView, events: readonly RefusedEvent[]): void {
    if (this.#closing.signal.aborted) return;
    const { catalogue, now, report, waiting = WAITING } = this.deps;
    const since = now() - PUBLISHED_FOR_MS;
    const told = events.filter(
      ({ type, recordedtime }) => Date.parse(recordedtime) >= since && catalogue.newest(type)?.restricted === false,
    );
    const room = Math.max(0, waiting - this.#waiting.length);
    for (const event of told.slice(0, room)) this.#waiting.push(noticeOf(view, event));
    if (told.length > room) report.dropped(told.length - room);
    if (this.#waiting.length > 0)
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
  }

  /** What waits is offered again after the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { publishing, report } = this.deps;
    const { signal } = this.#closing;
    while (this.#waiting.length > 0 && !signal.aborted) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        const outcomes = ownOutcomes(await publishing.publish(batch, { caller: CALLER, partial: true }));
        for (const outcome of outcomes) if (typeof outcome !== 'string') report.refused(outcome);
        const again = batch.filter((_, i) => outcomes[i] === 'retry');
        this.#waiting.splice(0, batch.length, ...again);
        if (again.length > 0) await pause(jittered(RETRY_MS), signal);
      } catch (cause) {
        report.failed(innermostMessage(cause));
        await pause(jittered(RETRY_MS), signal);
      }
    }
  }
}

/** Without owner and key of the entry: whoever sent the event reads it, and so would find out whose an entry is that looks missing to it. */
function noticeOf(view: CompiledView, event: RefusedEvent): Offered {
  const { reason, type, position, recordedtime, witness } = event;
  const source = parseSource(witness[0]);
  const data = {
    sumber: witness[0],
    ringkasan: view.name,
    jenis: type,
    posisi: position,
    alasan: REASONS[reason],
    unit: source?.kind === 'unit' ? source.unit : null,
    waktu: recordedtime,
  };
  return ownEvent(CALLER, { id: `${view.name}/${position}`, type: CHANGE_REFUSED, time: recordedtime, data });
}
