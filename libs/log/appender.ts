import { pause } from '#concurrency';
import { partitionKey } from '#event';
import { MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type AppendOutcome, type EventLog, type NewRecord } from './port.js';
import { bytesOfAll, fitsOneAppend } from './size.js';

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
}

interface PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly waiting: AppendRequest[];
  /** An append is scheduled or in flight; requests that arrive meanwhile join the next one. */
  busy: boolean;
}

/**
 * Self-clocked batching (coalescing) over EventLog.append: each partition has one append in flight; requests that arrive meanwhile wait and go
 * together in the next one. There is no linger: a request that finds its partition idle leaves at the end of the event-loop turn.
 * The records of a request stay together and in order, all or none. The requests of a partition keep the order of the calls.
 */
export class Appender {
  readonly #log: Pick<EventLog, 'append'>;
  readonly #maxBytes: number;
  readonly #queues = new Map<string, PartitionQueue>();
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
   * Appends records of one partition as one request. Never throws. Besides the outcomes of the log itself:
   * - `refused`, `record_too_large`, at once: more than one append may hold (fitsOneAppend). The caller cuts longer lists, in order.
   * - `refused`, `queue_full`, at once: maxWaitingBytes is reached.
   * - `refused`, `not_durable`: the time is over, and the records were never sent.
   * - `uncertain`: the time is over while the records are in flight.
   */
  append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    options: AppendOptions = {},
  ): Promise<AppendOutcome> {
    const { timeoutMs = TIMEOUT_MS, bytes = bytesOfAll(records) } = options;
    if (!fitsOneAppend(records, bytes)) return Promise.resolve({ kind: 'refused', code: 'record_too_large' });
    if (this.#bytes + bytes > this.#maxBytes) return Promise.resolve({ kind: 'refused', code: 'queue_full' });
    const key = partitionKey(topic, partition);
    let queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, (queue = { topic, partition, waiting: [], busy: false }));
    const own = queue;
    return new Promise((resolve) => {
      const request: AppendRequest = { records, bytes, settle: resolve, timer: undefined };
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
    } else this.#settle(request, { kind: 'uncertain' });
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
    while (queue.waiting.length > 0) await this.#send(queue, cut(queue.waiting));
    this.#queues.delete(key);
  }

  async #send({ topic, partition }: PartitionQueue, requests: readonly AppendRequest[]): Promise<void> {
    const records = requests.length === 1 ? requests[0]!.records : requests.flatMap((r) => r.records);
    const bytes = requests.reduce((sum, r) => sum + r.bytes, 0);
    let sentBefore = false;
    for (;;) {
      const answer = await this.#log.append(topic, partition, records, bytes);
      // A refusal speaks of this try only: an earlier uncertain try of the same batch may have been written.
      const outcome: AppendOutcome =
        sentBefore && answer.kind === 'refused' ? { kind: 'uncertain', cause: answer.cause } : answer;
      // R3.5: an uncertain batch is sent again before anything newer, so that nothing overtakes it, while a caller still waits for it
      if (answer.kind === 'uncertain' && requests.some((r) => r.settle !== undefined)) {
        sentBefore = true;
        await pause(RESEND_MS);
        continue;
      }
      let base = outcome.kind === 'accepted' ? outcome.base : 0n;
      for (const request of requests) {
        if (outcome.kind === 'accepted') {
          this.#settle(request, { kind: 'accepted', base, appendTimeMs: outcome.appendTimeMs });
          base += BigInt(request.records.length);
        } else this.#settle(request, outcome);
        this.#release(request);
      }
      return;
    }
  }
}

/** Takes the first requests off the list, as many as one append may hold. */
function cut(waiting: AppendRequest[]): AppendRequest[] {
  let records = 0;
  let bytes = 0;
  let n = 0;
  for (; n < waiting.length; n++) {
    records += waiting[n]!.records.length;
    bytes += waiting[n]!.bytes;
    if (n > 0 && (records > MAX_APPEND_RECORDS || bytes > MAX_APPEND_BYTES)) break;
  }
  return waiting.splice(0, n);
}
