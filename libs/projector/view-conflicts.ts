import { ownEvent } from '#core';
import { parseSource } from '#event';
import { senderOf, type CompiledView, type RefusedEvent } from '#projection';
import type { Offered } from '#publishing';
import type { Catalogue } from '#registry';
import { NoticeQueue, WATCH, type NoticeDeps } from './notice-queue.js';
import { OwnerNotices } from './owner-notices.js';

export const CHANGE_REFUSED = 'simpul.pengawasan.perubahan-ditolak';
/** The duplicate index knows events of 8 days, so an event that is offered again within 7 is a duplicate. */
const PUBLISHED_FOR_MS = 7 * 24 * 3_600_000;
const FLUSH_MS = 60_000;
const REASONS = {
  not_owner: 'bukan_pemilik',
  too_far_ahead: 'terlalu_jauh_di_depan',
  step_missing: 'langkah_belum_ada',
} as const;

export interface ViewConflictsDeps extends NoticeDeps {
  readonly catalogue: Pick<Catalogue, 'newest'>;
  readonly now: () => number;
}

/**
 * Publishes `simpul.pengawasan.perubahan-ditolak` for each event that a view refused (R5.10, R5.11) and that was recorded at most 7 days ago, and notices to the
 * owners of the entries (OwnerNotices); restricted types have neither. In the background: the list of conflicts in the state is the truth, and these are notices.
 * While 10,000 wait, or 5,000 about one unit or party, further ones are dropped and reported; of those the next start offers what the list still keeps. Idempotent: the
 * id is the view and the position, and no other member depends on the attempt.
 */
export class ViewConflicts {
  readonly #queue: NoticeQueue;
  readonly #owners: OwnerNotices;
  readonly #flushing: NodeJS.Timeout;

  constructor(private readonly deps: ViewConflictsDeps) {
    this.#queue = new NoticeQueue(deps);
    this.#owners = new OwnerNotices({ ...deps, queue: this.#queue });
    this.#flushing = setInterval(() => this.#owners.flush(), FLUSH_MS).unref();
  }

  /** Returns at once. */
  offer(view: CompiledView, events: readonly RefusedEvent[]): void {
    if (this.#queue.isClosed) return;
    const { catalogue, now } = this.deps;
    const since = now() - PUBLISHED_FOR_MS;
    const told = events.filter(
      ({ type, recordedtime }) => Date.parse(recordedtime) >= since && catalogue.newest(type)?.restricted === false,
    );
    this.#queue.push(told.map((event) => ({ from: senderOf(event.witness[0]), offered: noticeOf(view, event) })));
    this.#owners.offer(view, told);
  }

  /** What waits is offered again after the next start. */
  async close(): Promise<void> {
    clearInterval(this.#flushing);
    await this.#queue.close();
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
  return ownEvent(WATCH, { id: `${view.name}/${position}`, type: CHANGE_REFUSED, time: recordedtime, data });
}
