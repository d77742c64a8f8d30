import { withDeadline } from '#concurrency';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { First, State } from '#state';
import { type Settled, IndexCertainty } from '#duplicates';
import type { Catalogue } from '#registry';
import type { EarlierEvents } from './earlier.js';
import type { Receipt } from './item.js';
import { receiptOfFirst } from './receipt.js';
import { identityOf, type RecentAppends } from './recent.js';

export interface ReceiptsDeps {
  readonly log: Pick<EventLog, 'describe'>;
  readonly state: Pick<State, 'findFirst'>;
  readonly settled: Settled;
  readonly catalogue: Catalogue;
  readonly now: () => number;
}

const INDEX_MS = 2_000;

/** Looks up receipts in the duplicate index, which names the first event also where later copies were acknowledged (R2.4). */
export class Receipts {
  readonly #certainty: IndexCertainty;

  constructor(
    private readonly deps: ReceiptsDeps,
    private readonly recents: RecentAppends,
    private readonly earlier: EarlierEvents,
    private readonly waitMs: number,
  ) {
    this.#certainty = new IndexCertainty(deps.log, deps.catalogue, deps.settled, deps.now);
  }

  /**
   * The receipt of the first event with this (source, id); undefined = there is none (final 120 s after the last attempt, R3.6).
   * Its place in the log holds the event (R2.7). Fault receipts_unavailable while the index or the log cannot answer, or the index is not far enough for
   * a final no. Append and index together are waited for at most `waitMs`.
   */
  async find(source: string, id: string): Promise<Receipt | undefined> {
    const recent = this.recents.get(identityOf(source, id));
    if (recent !== undefined) {
      const until = this.deps.now() + this.waitMs;
      await withDeadline(recent.done, this.waitMs, () => undefined);
      const { stream, partition, outcome } = recent;
      // This one may be a copy that was appended without a check (R2.4): only the index, once it has passed the place, knows the first.
      if (outcome?.kind === 'accepted') {
        await this.deps.settled.waitFor(stream, partition, outcome.base + 1n, until - this.deps.now());
      }
    }
    const found = await this.#inIndex(source, id);
    if (found !== undefined) return found;
    if (!(await this.#certainty.sure())) throw new Fault('receipts_unavailable', { retryAfterMs: 2_000 });
    // The index may have caught up between the lookup and the certainty.
    return this.#inIndex(source, id);
  }

  async #inIndex(source: string, id: string): Promise<Receipt | undefined> {
    const asked = this.deps.state.findFirst([{ source, id }]).catch(() => undefined);
    const known = await withDeadline(asked, INDEX_MS, () => undefined);
    if (known === undefined) throw new Fault('receipts_unavailable', { retryAfterMs: 2_000 });
    if (known[0] === undefined) return undefined;
    const [place] = await this.earlier.look([known[0]]);
    if (place === 'unknown') throw new Fault('receipts_unavailable', { retryAfterMs: 2_000 });
    return place === 'holds' ? this.#receipt(known[0]) : undefined;
  }

  #receipt(first: First): Receipt {
    return receiptOfFirst(first, this.deps.catalogue.bySchemaId(first.schemaId)?.type ?? '', false);
  }
}
