import { MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type AppendOutcome, type EventLog, type NewRecord } from './port.js';
import { bytesOfAll, fitsOneAppend } from './size.js';

export interface AppenderOptions {
  /** Bytes that may wait or be in flight, all partitions together. @default 64 MiB */
  readonly maxWaitingBytes?: number;
}

/** Between two tries of an uncertain batch: a log that fails at once must not be asked in a hot loop. */
const RESEND_MS = 50;

interface Unit {
  readonly records: readonly NewRecord[];
  readonly bytes: number;
  /** undefined: the caller no longer waits. */
  settle: ((outcome: AppendOutcome) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly waiting: Unit[];
  inFlight: Unit[] | undefined;
  scheduled: boolean;
}

/**
 * Self-clocked batching over an EventLog: one append in flight per partition; what comes meanwhile is collected and goes next, no linger.
 * A caller's records stay together in one append, in order, all or none; appends of a partition keep the order of the calls.
 */
export class Appender {
  readonly #log: Pick<EventLog, 'append'>;
  readonly #maxBytes: number;
  readonly #lanes = new Map<string, Lane>();
  #bytes = 0;
  #records = 0;

  constructor(log: Pick<EventLog, 'append'>, options: AppenderOptions = {}) {
    this.#log = log;
    this.#maxBytes = options.maxWaitingBytes ?? 64 * 1_048_576;
  }

  /** Waiting and in flight now. */
  get waiting(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  /**
   * Appends records of one partition as one unit: at most 500 records and 900 KB, or one record (`record_too_large` otherwise; callers cut longer lists in order).
   * At the deadline a unit that was never sent is dropped (`refused`, `not_durable`); one in flight is `uncertain`.
   * Over the byte bound: `refused` with `queue_full` at once. Never throws.
   */
  append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    options: { readonly timeoutMs?: number } = {},
  ): Promise<AppendOutcome> {
    const bytes = bytesOfAll(records);
    if (records.length === 0 || !fitsOneAppend(records, bytes))
      return Promise.resolve({ kind: 'refused', code: 'record_too_large' });
    if (this.#bytes + bytes > this.#maxBytes) return Promise.resolve({ kind: 'refused', code: 'queue_full' });
    const key = `${topic}/${partition}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined)
      this.#lanes.set(key, (lane = { topic, partition, waiting: [], inFlight: undefined, scheduled: false }));
    const at = lane;
    return new Promise((resolve) => {
      const unit: Unit = { records, bytes, settle: resolve, timer: undefined };
      unit.timer = setTimeout(() => this.#expire(at, unit), options.timeoutMs ?? 5_000);
      this.#bytes += bytes;
      this.#records += records.length;
      at.waiting.push(unit);
      this.#schedule(at);
    });
  }

  #expire(lane: Lane, unit: Unit): void {
    const place = lane.waiting.indexOf(unit);
    if (place >= 0) {
      lane.waiting.splice(place, 1);
      this.#settle(unit, { kind: 'refused', code: 'not_durable' });
      this.#leave(unit);
    } else this.#settle(unit, { kind: 'uncertain' });
  }

  #settle(unit: Unit, outcome: AppendOutcome): void {
    clearTimeout(unit.timer);
    const { settle } = unit;
    unit.settle = undefined;
    settle?.(outcome);
  }

  #leave(unit: Unit): void {
    this.#bytes -= unit.bytes;
    this.#records -= unit.records.length;
  }

  // setImmediate lets every request that the same turn of the loop read join the first append.
  #schedule(lane: Lane): void {
    if (lane.inFlight !== undefined || lane.scheduled) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      void this.#drain(lane);
    });
  }

  #cut(lane: Lane): Unit[] {
    let records = 0;
    let bytes = 0;
    let n = 0;
    while (n < lane.waiting.length) {
      const unit = lane.waiting[n]!;
      if (n > 0 && (records + unit.records.length > MAX_APPEND_RECORDS || bytes + unit.bytes > MAX_APPEND_BYTES)) break;
      records += unit.records.length;
      bytes += unit.bytes;
      n++;
    }
    return lane.waiting.splice(0, n);
  }

  async #drain(lane: Lane): Promise<void> {
    while (lane.inFlight === undefined && lane.waiting.length > 0) {
      const units = (lane.inFlight = this.#cut(lane));
      await this.#send(lane, units);
      lane.inFlight = undefined;
    }
    if (lane.waiting.length === 0 && !lane.scheduled) this.#lanes.delete(`${lane.topic}/${lane.partition}`);
  }

  async #send(lane: Lane, units: readonly Unit[]): Promise<void> {
    const records = units.length === 1 ? units[0]!.records : units.flatMap((u) => u.records);
    for (;;) {
      const outcome = await this.#log.append(lane.topic, lane.partition, records);
      // R3.5: the same batch again first, so that nothing overtakes it, but only while somebody still waits for it.
      if (outcome.kind === 'uncertain' && units.some((u) => u.settle !== undefined)) {
        await new Promise((done) => setTimeout(done, RESEND_MS));
        continue;
      }
      let base = outcome.kind === 'accepted' ? outcome.base : 0n;
      for (const unit of units) {
        if (outcome.kind === 'accepted') {
          this.#settle(unit, { kind: 'accepted', base, appendTimeMs: outcome.appendTimeMs });
          base += BigInt(unit.records.length);
        } else this.#settle(unit, outcome);
        this.#leave(unit);
      }
      return;
    }
  }
}
