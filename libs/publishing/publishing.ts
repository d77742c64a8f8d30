import type { EventLog } from '#log';
import { blameOf, Fault, FAULTS } from '#faults';
import type { First, State } from '#state';
import type { Caller } from '#access';
import { IndexLookup, sameContent, type Known, type Settled } from '#duplicates';
import type { AppendOutcome } from '#log';
import type { Appends } from './appends.js';
import { checkItem, type CheckRules } from './check.js';
import { sortDuplicates, type Links } from './duplicates.js';
import type { Checked, ItemResult, Offered, ReadyItem, Receipt } from './item.js';
import { PUBLISH_LIMITS, type PublishLimits } from './limits.js';
import { planAppends } from './plan.js';
import { inTime } from './in-time.js';
import { receiptOf } from './receipt.js';
import { Receipts } from './receipts.js';
import { RecentAppends, type Landed, type RecentAppend } from './recent.js';
import type { Refusals } from './refusals.js';

export interface PublishingDeps extends Omit<CheckRules, 'limits'> {
  readonly log: Pick<EventLog, 'describe'>;
  readonly appends: Appends;
  readonly state: Pick<State, 'findFirst'>;
  readonly settled: Settled;
  readonly refusals: Pick<Refusals, 'count'>;
  readonly now: () => number;
  readonly limits?: Partial<PublishLimits>;
  /** Told once per event: `accepted`, `duplicate` or a fault code, and the ms since the request came. */
  readonly meter?: (outcome: string, count: number, ms: number) => void;
}

export interface PublishRequest {
  readonly caller: Caller;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Items are taken one by one: a bad one does not stop the others. */
  readonly partial?: boolean;
}

/** `results` in request order. */
export type PublishAnswer =
  | { readonly kind: 'done'; readonly results: readonly ItemResult[] }
  /** Nothing was appended. Items that were fine are undefined. */
  | { readonly kind: 'refused'; readonly results: readonly (Fault | undefined)[] }
  /** Not all is certain: 503. Items carry what is known. */
  | { readonly kind: 'put_off'; readonly results: readonly ItemResult[] };

/** What a dry run says of one event. */
export type Trial = { readonly ok: true; readonly item: ReadyItem } | { readonly ok: false; readonly fault: Fault };

const YIELD_EVERY = 256;

/** The way of an event from a request to a receipt (R2, R3). */
export class Publishing {
  readonly limits: PublishLimits;
  readonly #rules: CheckRules;
  readonly #recent: RecentAppends;
  readonly #lookup: IndexLookup;
  readonly #receipts: Receipts;
  readonly #isoTime = isoTimes();

  constructor(private readonly deps: PublishingDeps) {
    this.limits = { ...PUBLISH_LIMITS, ...deps.limits };
    this.#rules = { ...deps, limits: this.limits };
    this.#recent = new RecentAppends((s, p) => deps.settled.end(s, p), deps.now, this.limits.recent);
    this.#lookup = new IndexLookup((ids) => deps.state.findFirst(ids), this.limits.indexMs);
    this.#receipts = new Receipts(deps, this.#recent, this.#lookup, this.limits.waitMs);
  }

  /** Events handed to the log whose outcome is still open. */
  get pending(): number {
    return this.#recent.pending;
  }

  /** Faults empty_batch, body_too_large (items), queue_full: nothing was appended. Otherwise an answer, within limits.waitMs and a little. */
  async publish(offered: readonly Offered[], request: PublishRequest): Promise<PublishAnswer> {
    const began = this.deps.now();
    this.#admit(offered);
    const checked =
      offered.length > YIELD_EVERY ? await this.#checkMany(offered, request) : this.#check(offered, request);
    const results = checked.map((c): ItemResult | undefined =>
      c.ok ? undefined : { kind: 'refused', fault: c.fault },
    );
    const partial = request.partial === true;
    if (!partial && results.some(isRefused)) return this.#refused(results, checked, request, began);
    const known = await this.#ask(checked);
    // From here to the appends there is no await: what is looked at cannot change before it is used (two requests with one id).
    const links = sortDuplicates(checked, known, results, this.#recent, this.deps.catalogue);
    if (!partial && results.some(isRefused)) return this.#refused(results, checked, request, began);
    const open = this.#append(checked, links, began);
    await this.#settle(checked, open, links, results, began);
    return this.#answered(results as ItemResult[], checked, request, began);
  }

  /** Checks, and appends nothing. */
  async tryOut(offered: readonly Offered[], request: PublishRequest): Promise<readonly Trial[]> {
    this.#admit(offered);
    return (await this.#checkMany(offered, request)).map((c) =>
      c.ok && c.item.unfit === undefined
        ? { ok: true, item: c.item }
        : { ok: false, fault: c.ok ? c.item.unfit! : c.fault },
    );
  }

  /** As Receipts.find. */
  receipt(source: string, id: string): Promise<Receipt | undefined> {
    return this.#receipts.find(source, id);
  }

  #admit(offered: readonly Offered[]): void {
    if (offered.length === 0) throw new Fault('empty_batch');
    if (offered.length > this.limits.items) {
      throw new Fault('body_too_large', { detail: `more than ${this.limits.items} events` });
    }
    if (this.#recent.pending + offered.length > this.limits.pendingEvents) {
      throw new Fault('queue_full', { retryAfterMs: 1_000 });
    }
  }

  #check(offered: readonly Offered[], { caller, traceparent, tracestate }: PublishRequest): Checked[] {
    const recordedtime = this.#isoTime(this.deps.now());
    return offered.map((one) => checkItem(one, { caller, recordedtime, traceparent, tracestate }, this.#rules));
  }

  /** A long list must not keep the others waiting. */
  async #checkMany(offered: readonly Offered[], request: PublishRequest): Promise<Checked[]> {
    const out: Checked[] = [];
    for (let i = 0; i < offered.length; i += YIELD_EVERY) {
      if (i > 0) await new Promise(setImmediate);
      out.push(...this.#check(offered.slice(i, i + YIELD_EVERY), request));
    }
    return out;
  }

  /** What the index knows of each item; undefined entries where it was not asked. */
  async #ask(checked: readonly Checked[]): Promise<Known> {
    const ids: ReadyItem[] = [];
    for (const c of checked) if (c.ok) ids.push(c.item);
    if (ids.length === 0) return undefined;
    const answers = await this.#lookup.ask(ids);
    if (answers === undefined) return undefined;
    const found = await this.#alsoAcknowledged(ids, answers);
    if (ids.length === checked.length) return found;
    let n = 0;
    return checked.map((c) => (c.ok ? found[n++] : undefined));
  }

  /**
   * Other content that was acknowledged under a used id, while the index could not say no, is an event of its own (R2.5) and stands in the index
   * under id and digest: a repeat of it is answered with its own receipt.
   */
  async #alsoAcknowledged(
    ids: readonly ReadyItem[],
    answers: readonly (First | undefined)[],
  ): Promise<readonly (First | undefined)[]> {
    const odd = ids.flatMap((item, n) => {
      const first = answers[n];
      return first !== undefined && !sameContent(item, first, this.deps.catalogue) ? [{ n, item }] : [];
    });
    if (odd.length === 0) return answers;
    const own = await this.#lookup.ask(
      odd.map(({ item }) => ({ source: item.source, id: `${item.id}\n${item.digest}` })),
    );
    const out = [...answers];
    for (const [k, { n, item }] of odd.entries()) {
      const first = own?.[k];
      if (first !== undefined) out[n] = { ...first, id: item.id };
    }
    return out;
  }

  /** Hands the new events to the log, in order, one call per partition; what is open then, by place in the request. No await in here. */
  #append(checked: readonly Checked[], links: Links, began: number): (RecentAppend | undefined)[] {
    const open = checked.map((_, i) => links.joined.get(i));
    const timeoutMs = Math.max(1, this.limits.waitMs - (this.deps.now() - began));
    const items = links.fresh.map((i) => (checked[i] as { item: ReadyItem }).item);
    for (const { stream, partition, places, bytes } of planAppends(items)) {
      const ready = places.map((place) => items[place]!);
      let call: Promise<AppendOutcome>;
      try {
        call = this.deps.appends.append(
          stream,
          partition,
          ready.map((item) => item.record),
          { timeoutMs, bytes },
        );
      } catch (cause) {
        call = Promise.resolve({ kind: 'refused', code: 'not_durable', cause });
      }
      const added = this.#recent.add(ready, call);
      for (const [at, place] of places.entries()) open[links.fresh[place]!] = added[at];
    }
    return open;
  }

  async #settle(
    checked: readonly Checked[],
    open: readonly (RecentAppend | undefined)[],
    links: Links,
    results: (ItemResult | undefined)[],
    began: number,
  ): Promise<void> {
    const calls = new Set<Promise<unknown>>();
    for (const o of open) if (o !== undefined && o.landed === undefined) calls.add(o.done);
    // The appender keeps the deadline itself; this one is for an appender that does not answer at all.
    if (calls.size > 0) await inTime(Promise.all(calls), this.limits.waitMs - (this.deps.now() - began) + 250);
    for (const [i, o] of open.entries()) {
      if (o === undefined) continue;
      const landed = o.landed ?? { kind: 'uncertain' as const };
      if (landed.kind === 'accepted') {
        const joined = links.joined.has(i);
        const { item } = checked[i] as { item: ReadyItem };
        results[i] = { kind: joined ? 'duplicate' : 'accepted', receipt: receiptOf(item, o, landed.offset, joined) };
      } else results[i] = putOff(landed);
    }
    for (const [i, earlier] of links.same) {
      const r = results[earlier]!;
      results[i] = 'receipt' in r ? { kind: 'duplicate', receipt: { ...r.receipt, duplicate: true } } : r;
    }
  }

  #refused(
    results: readonly (ItemResult | undefined)[],
    checked: readonly Checked[],
    request: PublishRequest,
    began: number,
  ): PublishAnswer {
    const faults = results.map((r) => (r !== undefined && 'fault' in r ? r.fault : undefined));
    for (const [i, fault] of faults.entries())
      if (fault !== undefined) this.#countFault(fault, checked[i]!, request, began);
    return { kind: 'refused', results: faults };
  }

  #answered(
    results: readonly ItemResult[],
    checked: readonly Checked[],
    request: PublishRequest,
    began: number,
  ): PublishAnswer {
    let accepted = 0;
    let duplicate = 0;
    let waiting = false;
    for (const [i, r] of results.entries()) {
      if ('fault' in r) {
        if (r.fault.row.class === 'unavailable') waiting = true;
        this.#countFault(r.fault, checked[i]!, request, began);
      } else if (r.kind === 'accepted') accepted++;
      else duplicate++;
    }
    const ms = this.deps.now() - began;
    if (accepted > 0) this.deps.meter?.('accepted', accepted, ms);
    if (duplicate > 0) this.deps.meter?.('duplicate', duplicate, ms);
    return { kind: waiting ? 'put_off' : 'done', results };
  }

  /** Counts a refusal (never what was put off: that is not the publisher's fault). */
  #countFault(fault: Fault, checked: Checked, request: PublishRequest, began: number): void {
    this.deps.meter?.(fault.code, 1, this.deps.now() - began);
    if (blameOf(fault.code) === 'hub') return;
    const type = checked.ok ? checked.item.type.type : checked.type;
    const { pointer = '', code = fault.code } = fault.problems[0] ?? {};
    this.deps.refusals.count(request.caller.owner, type, code, pointer);
  }

  /** A request that was refused before there were events (not JSON, too large). */
  countRefusal(caller: Caller, fault: Fault): void {
    this.deps.meter?.(fault.code, 1, 0);
    if (blameOf(fault.code) === 'request')
      this.deps.refusals.count(caller.owner, '', fault.code, fault.problems[0]?.pointer ?? '');
  }
}

const isRefused = (r: ItemResult | undefined): boolean => r !== undefined && 'fault' in r;

/** RFC 3339 UTC of a millisecond, which many events share. */
function isoTimes(): (ms: number) => string {
  let last = Number.NaN;
  let text = '';
  return (ms) => {
    if (ms !== last) text = new Date((last = ms)).toISOString();
    return text;
  };
}

function putOff(landed: Exclude<Landed, { kind: 'accepted' }>): ItemResult {
  const unknown = landed.kind === 'uncertain';
  // Whatever kept it out of the log, it may go in later: never a 4xx once others of the request were appended (R3.1).
  const code = landed.kind === 'refused' && FAULTS[landed.code].class === 'unavailable' ? landed.code : 'not_durable';
  const fault = new Fault(code, {
    detail: unknown ? 'it is not known whether the event was written' : 'the event was surely not written',
    retryAfterMs: unknown ? 2_000 : 1_000,
    cause: landed.cause,
  });
  return { kind: unknown ? 'uncertain' : 'refused', fault };
}
