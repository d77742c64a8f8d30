import { jittered, pause } from '#concurrency';
import { partitionKey } from '#event';
import {
  MAX_APPEND_BYTES,
  MAX_APPEND_RECORDS,
  type AppendOutcome,
  type AppendRefusal,
  type EventLog,
  type NewRecord,
} from './port.js';
import { bytesOfAll, fitsOneAppend, RECORD_HEAD_BYTES, tooLarge } from './size.js';

export interface AppenderOptions {
  /** Bytes that may wait or be in flight, all partitions together (backpressure: `queue_full` above it). @default 64 MiB */
  readonly maxWaitingBytes?: number;
}

export interface AppendOptions {
  /** How long the caller waits for the outcome. @default 5000 */
  readonly timeoutMs?: number;
  /** The sum of bytesOf() of the records, if the caller has measured them already. */
  readonly bytes?: number;
}

/** Between two tries of an uncertain batch: a log that fails at once must not be asked in a hot loop. */
const RESEND_MS = 50;
const TIMEOUT_MS = 5_000;

/** The records of one call of append(). */
interface AppendRequest {
  readonly records: readonly NewRecord[];
  readonly bytes: number;
  /** undefined: the caller no longer waits. */
  settle: ((outcome: AppendOutcome) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Its time is over. While settle is still there, the log has been asked to withdraw it. */
  expired: boolean;
}

/** The part of the log that an Appender needs. Without appendLimit: no limit but that of one append. */
export type AppendLog = Pick<EventLog, 'append'> & Partial<Pick<EventLog, 'appendLimit'>>;

/** Refusals that one record of a list may have caused. */
const ABOUT_A_RECORD: ReadonlySet<AppendRefusal> = new Set(['record_too_large', 'invalid_record']);

interface PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly waiting: AppendRequest[];
  /** An append is scheduled or in flight; requests that arrive meanwhile join the next one. */
  busy: boolean;
  /** Of the append in flight. */
  withdraw: AbortController | undefined;
  /** Requests of the next append at most: halved after a refusal that one record may have caused, doubled after an accepted append. */
  most: number;
}

/**
 * Self-clocked batching (coalescing) over EventLog.append: each partition has one append in flight; requests that arrive meanwhile wait and go
 * together in the next one. There is no linger: a request that finds its partition idle leaves at the end of the event-loop turn.
 * The records of a request stay together and in order, all or none. The requests of a partition keep the order of the calls.
 *
 * A refusal that one record caused reaches its request alone: a merged append is halved by requests until the guilty one stands alone.
 */
export class Appender {
  readonly #log: AppendLog;
  readonly #maxBytes: number;
  readonly #queues = new Map<string, PartitionQueue>();
  #bytes = 0;
  #records = 0;

  constructor(log: AppendLog, options: AppenderOptions = {}) {
    this.#log = log;
    this.#maxBytes = options.maxWaitingBytes ?? 64 * 1_048_576;
  }

  /** Waiting and in flight now. */
  get waiting(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  /**
   * Appends records of one partition as one request. Never throws. Besides the outcomes of the log itself:
   * - `refused`, `record_too_large`, at once: more than one append may hold (fitsOneAppend). The caller cuts longer lists, in order.
   * - `refused`, `queue_full`, at once: maxWaitingBytes is reached.
   * - `refused`, `not_durable`: the time is over, and the records have not left the process and never will.
   * - `uncertain`: the time is over, and the records have left the process, or a try of them may have been written.
   */
  append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    options: AppendOptions = {},
  ): Promise<AppendOutcome> {
    const { timeoutMs = TIMEOUT_MS, bytes = bytesOfAll(records) } = options;
    if (!fitsOneAppend(records, bytes)) return Promise.resolve(tooLarge(records));
    if (this.#bytes + bytes > this.#maxBytes) return Promise.resolve({ kind: 'refused', code: 'queue_full' });
    const key = partitionKey(topic, partition);
    let queue = this.#queues.get(key);
    if (queue === undefined)
      this.#queues.set(
        key,
        (queue = { topic, partition, waiting: [], busy: false, withdraw: undefined, most: Number.POSITIVE_INFINITY }),
      );
    const own = queue;
    return new Promise((resolve) => {
      const request: AppendRequest = { records, bytes, settle: resolve, timer: undefined, expired: false };
      request.timer = setTimeout(() => this.#expire(own, request), timeoutMs);
      this.#bytes += bytes;
      this.#records += records.length;
      own.waiting.push(request);
      if (!own.busy) this.#schedule(key, own);
    });
  }

  #expire(queue: PartitionQueue, request: AppendRequest): void {
    const place = queue.waiting.indexOf(request);
    if (place >= 0) {
      queue.waiting.splice(place, 1);
      this.#settle(request, { kind: 'refused', code: 'not_durable' });
      this.#release(request);
      return;
    }
    request.expired = true;
    // a log that can withdraw it answers within this turn; any other has sent it
    queue.withdraw?.abort();
    setImmediate(() => this.#settle(request, { kind: 'uncertain' }));
  }

  #settle(request: AppendRequest, outcome: AppendOutcome): void {
    clearTimeout(request.timer);
    const { settle } = request;
    request.settle = undefined;
    settle?.(outcome);
  }

  #release(request: AppendRequest): void {
    this.#bytes -= request.bytes;
    this.#records -= request.records.length;
  }

  // setImmediate: every request that was read in the same event-loop turn joins the first append
  #schedule(key: string, queue: PartitionQueue): void {
    queue.busy = true;
    setImmediate(() => void this.#drain(key, queue));
  }

  async #drain(key: string, queue: PartitionQueue): Promise<void> {
    while (queue.waiting.length > 0) {
      const limit = this.#log.appendLimit?.(queue.topic) ?? Number.POSITIVE_INFINITY;
      await this.#send(queue, cut(queue.waiting, queue.most, limit));
    }
    this.#queues.delete(key);
  }

  async #send(queue: PartitionQueue, requests: readonly AppendRequest[]): Promise<void> {
    const records = requests.length === 1 ? requests[0]!.records : requests.flatMap((r) => r.records);
    const bytes = requests.reduce((sum, r) => sum + r.bytes, 0);
    let sentBefore = false;
    for (;;) {
      const withdraw = (queue.withdraw = new AbortController());
      const answer = await this.#log.append(queue.topic, queue.partition, records, bytes, withdraw.signal);
      queue.withdraw = undefined;
      const wanted = (): boolean => requests.some((r) => r.settle !== undefined && !r.expired);
      if (answer.kind === 'refused' && !sentBefore) {
        if (withdraw.signal.aborted) return this.#withdrawn(queue, requests, answer);
        if (requests.length > 1 && ABOUT_A_RECORD.has(answer.code)) {
          queue.most = Math.ceil(requests.length / 2);
          queue.waiting.unshift(...requests);
          return;
        }
      }
      // R3.5: a batch in doubt is sent again before anything newer, so that nothing overtakes it, while a caller still waits for it
      if (
        wanted() &&
        (answer.kind === 'uncertain' || (sentBefore && withdraw.signal.aborted && answer.kind === 'refused'))
      ) {
        sentBefore = true;
        await pause(jittered(RESEND_MS));
        if (wanted()) continue;
      }
      if (answer.kind === 'accepted') queue.most *= 2;
      // A refusal speaks of this try only: an earlier uncertain try of the same batch may have been written.
      this.#finish(
        requests,
        sentBefore && answer.kind === 'refused' ? { kind: 'uncertain', cause: answer.cause } : answer,
      );
      return;
    }
  }

  #finish(requests: readonly AppendRequest[], outcome: AppendOutcome): void {
    let base = outcome.kind === 'accepted' ? outcome.base : 0n;
    for (const request of requests) {
      if (outcome.kind === 'accepted') {
        this.#settle(request, { kind: 'accepted', base, appendTimeMs: outcome.appendTimeMs });
        base += BigInt(request.records.length);
      } else this.#settle(request, outcome);
      this.#release(request);
    }
  }

  /** Nothing was written: those whose time is over are refused, the others go first in the next append. */
  #withdrawn(queue: PartitionQueue, requests: readonly AppendRequest[], answer: AppendOutcome): void {
    const over = requests.filter((r) => r.expired);
    this.#finish(over, { kind: 'refused', code: 'not_durable', cause: (answer as { cause?: unknown }).cause });
    queue.waiting.unshift(...requests.filter((r) => !r.expired));
  }
}

/** Takes the first requests off the list, as many as one append may hold and the topic takes (EventLog.appendLimit). */
function cut(waiting: AppendRequest[], most: number, limit: number): AppendRequest[] {
  let records = 0;
  let bytes = 0;
  let n = 0;
  for (; n < waiting.length && n < most; n++) {
    records += waiting[n]!.records.length;
    bytes += waiting[n]!.bytes;
    if (n === 0) continue;
    if (records > MAX_APPEND_RECORDS || bytes > MAX_APPEND_BYTES || bytes + records * RECORD_HEAD_BYTES > limit) break;
  }
  return waiting.splice(0, n);
}
