import type { Caller } from '#access';
import { conflictId, IndexLookup, sameContent, type PlacedEvent, type Settled } from '#duplicates';
import { blameOf, Fault, type FaultCode } from '#faults';
import { eachStepInTurns, ENDLESS, Limits, type LimitOwner, type LongWork, type Turn } from '#limits';
import { bytesOf, RECORD_HEAD_BYTES, type EventLog } from '#log';
import type { State } from '#state';
import type { Appends } from './appends.js';
import { checkItem, checkItemInSteps, type CheckRules } from './check.js';
import { EarlierEvents, placeOf } from './earlier.js';
import { isoTimes } from './iso-times.js';
import { ItemState, type Checked, type ItemOutcome, type Offered, type ReadyItem, type Receipt } from './item.js';
import { PUBLISH_LIMITS, type PublishLimits } from './limits.js';
import { isAboutARecord, needsOperator, notAccepted, tooLarge } from './not-accepted.js';
import { planAppends } from './plan.js';
import { receiptOf, receiptOfFirst } from './receipt.js';
import { Receipts, type SeeReceipt } from './receipts.js';
import { RecentAppends, type RecentAppend } from './recent.js';
import type { Refusals } from './refusals.js';
import { checkRoom, takeRoom } from './room.js';
import { sortDuplicates } from './sort-duplicates.js';

/** What publishing reports. All calls return at once. */
export interface PublishingReport {
  /** `count` events of one request became `accepted`, `duplicate`, `test` (accepted test events), or a fault code, `ms` after the request came. */
  outcome?(name: string, count: number, ms: number): void;
  /** The log takes no events of this partition, for a reason that only an operator can change. Called for each event. */
  unwritable?(code: FaultCode, stream: string, partition: number): void;
  /** An event was offered again: a duplicate. Called for each. */
  repeated?(source: string, stream: string): void;
}

export interface PublishingDeps extends Omit<CheckRules, 'limits'> {
  readonly log: Pick<EventLog, 'describe' | 'read'> & Partial<Pick<EventLog, 'appendLimit' | 'limitExceeded'>>;
  readonly appends: Appends;
  readonly state: Pick<State, 'findFirst'>;
  readonly settled: Settled;
  readonly refusals: Pick<Refusals, 'count'>;
  readonly now: () => number;
  /** See EarlierSchemas. */
  readonly refresh?: (() => Promise<void>) | undefined;
  readonly limits?: Partial<PublishLimits>;
  /** Bounds the events whose outcome is open. @default the numbers of the table */
  readonly budgets?: Limits;
  readonly report?: PublishingReport;
}

export interface PublishRequest {
  readonly caller: Caller;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Each event for itself: a refused one does not stop the others. */
  readonly partial?: boolean;
  /** In whose turns a long list is checked. @default at once: lists of one turn of the event loop share appends and index lookups */
  readonly work?: LongWork | undefined;
}

/** What a dry run says of one event. */
export type Trial = { readonly ok: true; readonly item: ReadyItem } | { readonly ok: false; readonly fault: Fault };

interface Appended {
  readonly append: RecentAppend;
  readonly place: PlacedEvent;
}

/** More than the headers of an event take: what is smaller than the limit of its topic by so much need not be measured. */
const HEADERS_BYTES = 65_536;

/** The publish path: check, duplicates, append, receipts (R2, R3). */
export class Publishing {
  readonly limits: PublishLimits;
  readonly #budgets: Limits;
  readonly #rules: CheckRules;
  readonly #recent: RecentAppends;
  readonly #earlier: EarlierEvents;
  readonly #receipts: Receipts;
  readonly #isoTime = isoTimes();

  constructor(private readonly deps: PublishingDeps) {
    this.limits = { ...PUBLISH_LIMITS, ...deps.limits };
    this.#budgets = deps.budgets ?? new Limits();
    this.#rules = { ...deps, limits: this.limits };
    this.#recent = new RecentAppends((s, p) => deps.settled.end(s, p), deps.now, this.limits.recent);
    const lookup = new IndexLookup((ids) => deps.state.findFirst(ids), this.limits.indexMs);
    this.#earlier = new EarlierEvents(lookup, deps.log, this.limits.placeMs, deps);
    this.#receipts = new Receipts(deps, this.#recent, this.#earlier, this.limits.waitMs);
  }

  /** Events handed to the log whose outcome is still open. */
  get pending(): number {
    return this.#recent.pending;
  }

  /**
   * The outcome of each event, in request order, within limits.waitMs and a little. Unless the request is partial, one refused event refuses all before
   * the first append; the others then have the code `invalid_items`. Faults empty_batch, body_too_large (more events than the limits ever let in),
   * queue_full: nothing was appended.
   */
  async publish(offered: readonly Offered[], request: PublishRequest): Promise<readonly ItemOutcome[]> {
    this.checkSize(offered.length);
    const owner: LimitOwner = { key: request.caller.keyId, unit: request.caller.owner };
    takeRoom(this.#budgets, owner, offered.length);
    try {
      const began = this.deps.now();
      const atOnce = request.work === undefined;
      const checked = atOnce ? this.#check(offered, request, began) : await this.#checkMany(offered, request);
      const items = checked.map((c) => new ItemState(c));
      const stops = (): boolean => request.partial !== true && items.some((i) => i.isRefused);
      if (stops()) return this.#withhold(items, request, began);
      await this.#look(items);
      // No await from here to the appends: nothing that sortDuplicates saw may change before (two requests with one id).
      const fresh = sortDuplicates(items, this.#recent, this.deps.catalogue, this.#rules);
      if (stops()) return this.#withhold(items, request, began);
      this.#append(fresh, began);
      await this.#settle(items, began);
      const again = this.#appendedAgain(items);
      if (again.length > 0) await this.#nameFirst(again, began);
      return this.#finish(items, request, began);
    } finally {
      this.#budgets.pending.give(owner, offered.length);
    }
  }

  /** Checks, in this turn and the next ones, and appends nothing. A part of a list may be given: the size of the whole is the caller's to check (checkSize). */
  async tryOut(offered: readonly Offered[], request: PublishRequest, turn: Turn = ENDLESS): Promise<readonly Trial[]> {
    const checked = await this.#checkInTurns(offered, request, turn);
    const items = checked.map((c) => new ItemState(c));
    await this.#findTooLarge(this.#suspects(items));
    return checked.map((c, n) => {
      const fault = c.ok ? items[n]!.unfit : c.fault;
      return c.ok && fault === undefined ? { ok: true, item: c.item } : { ok: false, fault: fault! };
    });
  }

  /** The receipt of the first event with this (source, id); see Receipts.find. */
  receipt(source: string, id: string, see?: SeeReceipt): Promise<Receipt | undefined> {
    return this.#receipts.find(source, id, see);
  }

  /** Whether so many events could be published now: asked before a long list is read, because a refusal must cost less than that. Faults as publish. */
  checkRoom({ keyId, owner }: Caller, events: number): void {
    this.checkSize(events);
    checkRoom(this.#budgets, { key: keyId, unit: owner }, events);
  }

  /** Whether a request may have so many events. Faults empty_batch, body_too_large. */
  checkSize(events: number): void {
    if (events === 0) throw new Fault('empty_batch');
    if (events > this.limits.items) {
      throw new Fault('body_too_large', { detail: `more than ${this.limits.items} events` });
    }
  }

  #check(offered: readonly Offered[], request: PublishRequest, atMs: number): Checked[] {
    const { caller, traceparent, tracestate } = request;
    const context = { caller, recordedtime: this.#isoTime(atMs), traceparent, tracestate };
    return offered.map((one) => checkItem(one, context, this.#rules));
  }

  /** Other requests are served while a long list is checked. */
  #checkMany(offered: readonly Offered[], request: PublishRequest): Promise<Checked[]> {
    const inTurns = (turn: Turn): Promise<Checked[]> => this.#checkInTurns(offered, request, turn);
    return request.work?.run(inTurns) ?? inTurns(ENDLESS);
  }

  #checkInTurns(
    offered: readonly Offered[],
    { caller, traceparent, tracestate }: PublishRequest,
    turn: Turn,
  ): Promise<Checked[]> {
    const recordedtime = this.#isoTime(this.deps.now());
    const context = { caller, recordedtime, traceparent, tracestate };
    return eachStepInTurns(offered.length, (i) => checkItemInSteps(offered[i]!, context, this.#rules), turn);
  }

  /** What must be known of the events before they are sorted. Most are new and small: nothing but the index is waited for then. */
  #look(items: readonly ItemState[]): Promise<unknown> {
    const asked = this.#askIndex(items);
    const appended = this.#appended(items);
    const suspects = this.#suspects(items);
    if (appended.length === 0 && suspects.length === 0) return asked;
    return Promise.all([asked, this.#forgetLost(appended), this.#findTooLarge(suspects)]);
  }

  /** The events that may be larger than their topic takes. */
  #suspects(items: readonly ItemState[]): readonly ItemState[] {
    const { log } = this.deps;
    return items.filter(({ item }) => {
      // The stream of its type, of a test too: it says what the real one would say.
      const limit = item && log.appendLimit?.(item.type.stream);
      if (limit === undefined || item!.key.length + item!.value.length + HEADERS_BYTES <= limit) return false;
      return bytesOf(item!.record) + RECORD_HEAD_BYTES > limit;
    });
  }

  /** Sets why an event is unfit that its topic, as it is now, does not take: it is refused before the first append (R3.1). */
  async #findTooLarge(suspects: readonly ItemState[]): Promise<void> {
    const { log } = this.deps;
    await Promise.all(
      suspects.map(async (state) => {
        const limit = await log.limitExceeded?.(state.item!.type.stream, state.item!.record);
        if (limit !== undefined) state.tooLarge = tooLarge(limit);
      }),
    );
  }

  /** Appends of this process with the ids of these events, and where the log took them. */
  #appended(items: readonly ItemState[]): readonly Appended[] {
    const appends: Appended[] = [];
    for (const { item } of items) {
      const append = item?.test === false ? this.#recent.get(item.identity) : undefined;
      const place = append && placeOf(item!.source, item!.id, append);
      if (place !== undefined) appends.push({ append: append!, place });
    }
    return appends;
  }

  /** Forgets appends of this process that the log does not hold any more. While the log does not answer, they count. */
  async #forgetLost(appends: readonly Appended[]): Promise<void> {
    if (appends.length === 0) return;
    const places = await this.#earlier.look(appends.map(({ place }) => place));
    for (const [n, { append }] of appends.entries()) if (places[n] === 'other') this.#recent.forget(append);
  }

  /** Sets what the duplicate index has under the id of each item; nothing, where index or log do not answer in time (R2.4). */
  async #askIndex(items: readonly ItemState[]): Promise<void> {
    const asked = items.filter((i) => i.item?.test === false);
    if (asked.length === 0) return;
    const known = await this.#earlier.ask(asked.map((i) => i.item!));
    if (known === undefined) return;
    let isKnown = false;
    for (let n = 0; n < asked.length; n++) {
      asked[n]!.indexed = known[n];
      if (known[n] !== undefined) isKnown = true;
    }
    if (isKnown) await this.#askUnderDigest(asked);
  }

  /**
   * Other content that was acknowledged under a used id, while the index did not answer, is an event of its own (R2.5). Its entry stands under
   * id and digest: a repeat gets its own receipt.
   */
  async #askUnderDigest(asked: readonly ItemState[]): Promise<void> {
    const { catalogue } = this.deps;
    const conflicting = asked.filter((i) => i.indexed !== undefined && !sameContent(i.item!, i.indexed, catalogue));
    if (conflicting.length === 0) return;
    const own = await this.#earlier.ask(
      conflicting.map(({ item }) => ({ source: item!.source, id: conflictId(item!.id, item!.digest) })),
    );
    for (const [n, state] of conflicting.entries()) {
      const first = own?.[n];
      if (first !== undefined) state.indexed = { ...first, id: state.item!.id };
    }
  }

  /** Hands the new events to the log, in order, one append per partition. No await in here. */
  #append(fresh: readonly ItemState[], began: number): void {
    const timeoutMs = Math.max(1, this.limits.waitMs - (this.deps.now() - began));
    const items = fresh.map((state) => state.item!);
    const limitOf = (stream: string): number => this.deps.log.appendLimit?.(stream) ?? Number.POSITIVE_INFINITY;
    for (const { stream, partition, places, bytes } of planAppends(items, limitOf)) {
      const ready = places.map((place) => items[place]!);
      const call = this.deps.appends.append(
        stream,
        partition,
        ready.map((item) => item.record),
        { timeoutMs, bytes },
      );
      const added = this.#recent.add(ready, call);
      for (const [at, place] of places.entries()) fresh[place]!.append = added[at];
    }
  }

  /** Waits for the appends, which have an outcome within the time that they were given (Appends), and sets the outcomes that come from them. */
  async #settle(items: readonly ItemState[], began: number): Promise<void> {
    do {
      // One after another: an append that has ended meanwhile is not waited for, and most requests have one.
      for (const { append } of items) if (append !== undefined && append.outcome === undefined) await append.done;
    } while (this.#appendInHalves(items, began));
    for (const state of items) {
      const { item, append, joined, repeated } = state;
      if (append !== undefined) {
        const outcome = append.outcome ?? { kind: 'uncertain' };
        state.outcome =
          outcome.kind === 'accepted'
            ? { kind: joined ? 'duplicate' : 'accepted', receipt: receiptOf(item!, append, outcome.base, joined) }
            : notAccepted(outcome, isAlone(append));
        if ('fault' in state.outcome && needsOperator(state.outcome.fault))
          this.deps.report?.unwritable?.(state.outcome.fault.code, item!.stream, item!.partition);
      } else if (repeated !== undefined) {
        const first = repeated.outcome!;
        state.outcome =
          'receipt' in first ? { kind: 'duplicate', receipt: { ...first.receipt, duplicate: true } } : first;
      }
    }
  }

  /** The events whose earlier append ended with an unknown outcome. */
  #appendedAgain(items: readonly ItemState[]): readonly ItemState[] {
    if (!this.#recent.hasUnknown) return [];
    return items.filter(
      ({ item, joined, outcome, isTest }) =>
        outcome?.kind === 'accepted' && !joined && !isTest && this.#recent.wasUnknown(item!.identity),
    );
  }

  /**
   * An event that was appended again after an unknown outcome may be a copy: the receipt names the first record, as soon as the index has passed this one
   * (R2.4). Without an answer in time the receipt names the record of this request.
   */
  async #nameFirst(again: readonly ItemState[], began: number): Promise<void> {
    const left = Math.min(this.limits.firstMs, this.limits.waitMs - (this.deps.now() - began));
    await Promise.all(
      again.map(async ({ append }) => {
        const { stream, partition, outcome } = append!;
        if (outcome?.kind === 'accepted') await this.deps.settled.waitFor(stream, partition, outcome.base + 1n, left);
      }),
    );
    const known = await this.#earlier.ask(again.map(({ item }) => item!));
    for (const [n, state] of again.entries()) {
      const first = known?.[n];
      const { item, append } = state;
      if (first === undefined || append?.outcome?.kind !== 'accepted' || first.offset === append.outcome.base) continue;
      if (!sameContent(item!, first, this.deps.catalogue)) continue;
      // A later repeat must ask the index, not join this copy.
      this.#recent.forget(append);
      state.outcome = { kind: 'duplicate', receipt: receiptOfFirst(first, item!.type.type, true) };
    }
  }

  /**
   * A refusal that one record caused says nothing about the others of its append: they are appended again in halves, until the guilty ones stand alone
   * (R3.9). False: there are none. No await in here.
   */
  #appendInHalves(items: readonly ItemState[], began: number): boolean {
    const refused = items.filter(
      ({ append, joined }) => !joined && append !== undefined && isAboutARecord(append.outcome) && !isAlone(append),
    );
    if (refused.length === 0 || this.deps.now() - began >= this.limits.waitMs) return false;
    for (const together of Map.groupBy(refused, (state) => state.append!.sharedAppend).values()) {
      // another request may have appended the same event meanwhile: its outcome counts
      const own = together.filter((state) => {
        const recent = state.isTest ? undefined : this.#recent.get(state.item!.identity);
        if (recent === undefined) return true;
        state.append = recent;
        state.joined = true;
        return false;
      });
      const half = Math.ceil(own.length / 2);
      this.#append(own.slice(0, half), began);
      this.#append(own.slice(half), began);
    }
    return true;
  }

  /** Nothing is appended: the events that were fine are refused with the others. */
  #withhold(items: readonly ItemState[], request: PublishRequest, began: number): readonly ItemOutcome[] {
    for (const state of items) if (state.isRefused) this.#countRefused(state, request, began);
    const withheld: ItemOutcome = { kind: 'refused', fault: new Fault('invalid_items') };
    return items.map(({ outcome }) => outcome ?? withheld);
  }

  #finish(items: readonly ItemState[], request: PublishRequest, began: number): readonly ItemOutcome[] {
    let accepted = 0;
    let duplicate = 0;
    let tests = 0;
    for (const state of items) {
      if (state.isRefused) this.#countRefused(state, request, began);
      else if (state.isTest) tests++;
      else if (state.outcome!.kind === 'accepted') accepted++;
      else {
        duplicate++;
        this.deps.report?.repeated?.(state.item!.source, state.item!.type.stream);
      }
    }
    const ms = this.deps.now() - began;
    if (accepted > 0) this.deps.report?.outcome?.('accepted', accepted, ms);
    if (tests > 0) this.deps.report?.outcome?.('test', tests, ms);
    if (duplicate > 0) this.deps.report?.outcome?.('duplicate', duplicate, ms);
    return items.map(({ outcome }) => outcome!);
  }

  /** Reports the fault, and counts a refusal where the request is to blame, not the hub. A test event that is refused is what a test is for. */
  #countRefused({ outcome, type, isTest }: ItemState, { caller }: PublishRequest, began: number): void {
    const { fault } = outcome as { fault: Fault };
    if (isTest && blameOf(fault.code) !== 'hub') return;
    this.deps.report?.outcome?.(fault.code, 1, this.deps.now() - began);
    if (blameOf(fault.code) === 'hub') return;
    const { pointer = '', code = fault.code } = fault.problems[0] ?? {};
    this.deps.refusals.count(caller.owner, type, code, pointer);
  }

  /** Counts a request that was refused before its events could be read (no JSON, too large). */
  countRefusal(caller: Caller, fault: Fault): void {
    this.deps.report?.outcome?.(fault.code, 1, 0);
    if (blameOf(fault.code) === 'request')
      this.deps.refusals.count(caller.owner, '', fault.code, fault.problems[0]?.pointer ?? '');
  }
}

const isAlone = (append: RecentAppend): boolean => append.sharedAppend.members.length === 1;
