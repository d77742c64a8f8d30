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

/** What the asker may see of a receipt that was found; undefined: as if it did not exist. Not asked for the asker's own events. */
export type SeeReceipt = (found: Receipt) => Promise<Receipt | undefined>;

/** Looks up receipts in the duplicate index, which names the first event also where later copies were acknowledged (R2.4). */
export class Receipts {
  readonly #certainty: IndexCertainty;
  /** The row that was found last: it is read and judged in the place of one that does not exist. */
  #decoy: First | undefined;

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
   * a final no. Append and index together are waited for at most `waitMs`. With `see`, for an asker whose own event it is not: a receipt that it does not let through takes every step of one that does not exist,
   * and one that does not exist takes the steps of reading and judging another one, so that neither the answer nor its time tells them apart (R12.4).
   */
  async find(source: string, id: string, see?: SeeReceipt): Promise<Receipt | undefined> {
    const recent = see === undefined ? this.recents.get(identityOf(source, id)) : undefined;
    if (recent !== undefined) {
      const until = this.deps.now() + this.waitMs;
      await withDeadline(recent.done, this.waitMs, () => undefined);
      const { stream, partition, outcome } = recent;
      // This one may be a copy that was appended without a check (R2.4): only the index, once it has passed the place, knows the first.
      if (outcome?.kind === 'accepted') {
        await this.deps.settled.waitFor(stream, partition, outcome.base + 1n, until - this.deps.now());
      }
    }
    const found = await this.#inIndex(source, id, see);
    if (found !== undefined) return found;
    if (!(await this.#certainty.sure())) throw new Fault('receipts_unavailable', { retryAfterMs: 2_000 });
    // The index may have caught up between the lookup and the certainty.
    return this.#inIndex(source, id, see);
  }

  async #inIndex(source: string, id: string, see: SeeReceipt | undefined): Promise<Receipt | undefined> {
    const asked = this.deps.state.findFirst([{ source, id }]).catch(() => undefined);
    const known = await withDeadline(asked, INDEX_MS, () => undefined);
    if (known === undefined) throw new Fault('receipts_unavailable', { retryAfterMs: 2_000 });
    const [first] = known;
    if (first !== undefined) this.#decoy = first;
    const read = first ?? (see === undefined ? undefined : this.#decoy);
    if (read === undefined) return undefined;
    const [place] = await this.earlier.look([read]);
    if (place === 'unknown' || (await this.earlier.unknown([read])).size > 0)
      throw new Fault('receipts_unavailable', { retryAfterMs: 2_000 });
    const receipt = this.#receipt(read);
    const seen = see === undefined ? receipt : await see(receipt);
    return first !== undefined && place === 'holds' ? seen : undefined;
  }

  #receipt(first: First): Receipt {
    return receiptOfFirst(first, this.deps.catalogue.bySchemaId(first.schemaId)?.type ?? '', false);
  }
}
