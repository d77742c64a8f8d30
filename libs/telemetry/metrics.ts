import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const REST_FACTOR = 10;
const MAX_REST_MS = 1_000;
const SLICE_MS = 2;

/** The numbers of one process. Label values are codes, names of streams and views, ids of subscriptions: never other ids, units' data or subjects. */
export class Metrics {
  readonly registry = new Registry();
  readonly published: Counter<'outcome'>;
  readonly publishSeconds: Histogram;
  readonly refused: Counter<'code'>;
  readonly httpRefused: Counter<'code'>;
  readonly queued: Gauge<'what'>;
  readonly projected: Counter<'view'>;
  readonly lagEvents: Gauge<'view' | 'storage' | 'stream' | 'partition'>;
  readonly lagSeconds: Gauge<'view' | 'storage' | 'stream' | 'partition'>;
  readonly snapshotComplete: Gauge<'view' | 'storage' | 'partition'>;
  readonly snapshotLag: Gauge<'view' | 'storage' | 'stream' | 'partition'>;
  readonly snapshotFilled: Counter<'view'>;
  readonly findings: Gauge<'kind'>;
  readonly unwatched: Gauge;
  readonly viewConflicts: Counter<'view' | 'reason'>;
  readonly viewConflictsUntold: Counter;
  readonly copies: Counter;
  readonly alarms: Counter<'code'>;
  readonly liveReaders: Gauge;
  readonly tailReaders: Gauge;
  readonly tailBytes: Gauge;
  readonly tailBehind: Counter;
  readonly limit: Gauge<'limit'>;
  readonly limitUsed: Gauge<'limit'>;
  readonly limitReached: Counter<'limit'>;
  readonly deliveries: Counter<'outcome'>;
  readonly deliverySeconds: Histogram;
  readonly subscriptions: Gauge<'status'>;
  readonly subscriptionLagEvents: Gauge<'subscription'>;
  readonly subscriptionLagSeconds: Gauge<'subscription'>;
  readonly undelivered: Gauge<'what'>;
  /** Resolves when the next text may be made. */
  #last: Promise<void> = Promise.resolve();
  #next: Promise<string> | undefined;
  #began = 0;
  readonly #measures: (() => void | Promise<void>)[] = [];

  constructor(role: string) {
    const registers = [this.registry];
    this.registry.setDefaultLabels({ role });
    collectDefaultMetrics({ register: this.registry, prefix: 'simpul_' });
    this.published = new Counter({
      name: 'simpul_published_total',
      help: 'Events answered with a receipt by outcome: accepted, duplicate, test (test events, in no stream).',
      labelNames: ['outcome'],
      registers,
    });
    this.publishSeconds = new Histogram({
      name: 'simpul_publish_seconds',
      help: 'Time from the whole request to its answer.',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    });
    this.refused = new Counter({
      name: 'simpul_refused_total',
      help: 'Events refused or put off, by code.',
      labelNames: ['code'],
      registers,
    });
    this.httpRefused = new Counter({
      name: 'simpul_http_refused_total',
      help: 'Requests answered 4xx, by code.',
      labelNames: ['code'],
      registers,
    });
    this.queued = new Gauge({
      name: 'simpul_publish_queue',
      help: 'Waiting for the log: records, bytes.',
      labelNames: ['what'],
      registers,
    });
    this.projected = new Counter({
      name: 'simpul_projected_total',
      help: 'Events folded, by view.',
      labelNames: ['view'],
      registers,
    });
    this.lagEvents = new Gauge({
      name: 'simpul_view_lag_events',
      help: 'Events not folded yet, by name of the view and storage of its generation. The duplicate index has view="duplicate index" and storage="~index".',
      labelNames: ['view', 'storage', 'stream', 'partition'],
      registers,
    });
    this.lagSeconds = new Gauge({
      name: 'simpul_view_lag_seconds',
      help: 'Age of the oldest event not folded yet, with the same labels.',
      labelNames: ['view', 'storage', 'stream', 'partition'],
      registers,
    });
    this.snapshotComplete = new Gauge({
      name: 'simpul_snapshot_complete',
      help: '1: an emptied store would be filled from the snapshot of this view partition; 0: it would be folded from the beginning of the log.',
      labelNames: ['view', 'storage', 'partition'],
      registers,
    });
    this.snapshotLag = new Gauge({
      name: 'simpul_snapshot_lag_events',
      help: 'Events that are folded into the store and not yet in the complete snapshot of the view partition.',
      labelNames: ['view', 'storage', 'stream', 'partition'],
      registers,
    });
    this.snapshotFilled = new Counter({
      name: 'simpul_snapshot_filled_total',
      help: 'Entries that the store was filled with from snapshots, by view.',
      labelNames: ['view'],
      registers,
    });
    this.findings = new Gauge({
      name: 'simpul_watch_findings',
      help: 'Findings of the watch that are open, by kind: silent, gap, skew, storm. 0 in a process that does not watch.',
      labelNames: ['kind'],
      registers,
    });
    this.unwatched = new Gauge({
      name: 'simpul_watch_unwatched_events',
      help: 'Events of sources that the watch has no room for, since it began in this process.',
      registers,
    });
    this.viewConflicts = new Counter({
      name: 'simpul_view_conflicts_total',
      help: 'Events that a view refused, by view and reason: not_owner, too_far_ahead, step_missing. A view that is folded again counts its events again.',
      labelNames: ['view', 'reason'],
      registers,
    });
    this.viewConflictsUntold = new Counter({
      name: 'simpul_view_conflicts_untold_total',
      help: 'Events that a view refused and that are not published, because 10,000 others waited for the log.',
      registers,
    });
    this.copies = new Counter({
      name: 'simpul_copies_total',
      help: 'Copies found in the log (same source, id and content).',
      registers,
    });
    this.alarms = new Counter({
      name: 'simpul_alarms_total',
      help: 'Alarms for an operator, by code: foreign_record, corrupt_record, control_record_unreadable, control_topic_unreadable, id_conflict, offset_out_of_range, unit_mismatch, view_broken, view_history_missing, log_mismatch, owners_mismatch, ownership_disputed, state_untrusted, state_evicted, log_damaged, state_damaged, batch_unreadable, transaction_open, topic_unsafe, unknown_topic, wrong_partition, broker_unsupported.',
      labelNames: ['code'],
      registers,
    });
    this.liveReaders = new Gauge({
      name: 'simpul_live_readers',
      help: 'Open live streams (server-sent events).',
      registers,
    });
    this.tailReaders = new Gauge({
      name: 'simpul_tail_readers',
      help: 'Live streams and long polls that hang on the shared tail of a stream. The other readers read ranges of the log.',
      registers,
    });
    this.tailBytes = new Gauge({
      name: 'simpul_tail_bytes',
      help: 'Bytes of events that the tails of all streams hold.',
      registers,
    });
    this.tailBehind = new Counter({
      name: 'simpul_tail_behind_total',
      help: 'Readers that were too slow for the tail of a stream and went on with ranges of the log.',
      registers,
    });
    this.limit = new Gauge({
      name: 'simpul_limit',
      help: 'Numbers of the table of limits, by name.',
      labelNames: ['limit'],
      registers,
    });
    this.limitUsed = new Gauge({
      name: 'simpul_limit_used',
      help: 'How much of a limit is used: by the key, unit or address that uses the most, or by all together. Rates: the average of the last 20 s.',
      labelNames: ['limit'],
      registers,
    });
    this.limitReached = new Counter({
      name: 'simpul_limit_reached_total',
      help: 'Requests refused, and connections closed, by the limit that was reached.',
      labelNames: ['limit'],
      registers,
    });
    this.deliveries = new Counter({
      name: 'simpul_deliveries_total',
      help: 'Attempts to deliver an event to a subscription, by outcome: delivered, failed, parked, dead.',
      labelNames: ['outcome'],
      registers,
    });
    this.deliverySeconds = new Histogram({
      name: 'simpul_delivery_seconds',
      help: 'Time of an attempt to deliver, from its beginning to the answer of the receiver.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
      registers,
    });
    this.subscriptions = new Gauge({
      name: 'simpul_subscriptions',
      help: 'Subscriptions that this process delivers to, by status: active, waiting (the target is down), paused, disabled.',
      labelNames: ['status'],
      registers,
    });
    this.subscriptionLagEvents = new Gauge({
      name: 'simpul_subscription_lag_events',
      help: 'Records that a subscription has not passed: not looked at yet, or due and not delivered.',
      labelNames: ['subscription'],
      registers,
    });
    this.subscriptionLagSeconds = new Gauge({
      name: 'simpul_subscription_lag_seconds',
      help: 'Age of the first record that a subscription has not looked at.',
      labelNames: ['subscription'],
      registers,
    });
    this.undelivered = new Gauge({
      name: 'simpul_undelivered',
      help: 'Events that stand: parked (tried again by schedule), dead (wait for a person), held (wait behind one of these).',
      labelNames: ['what'],
      registers,
    });
  }

  /** Sets gauges right before each scrape. A measure must not reject. */
  beforeScrape(measure: () => void | Promise<void>): void {
    this.#measures.push(measure);
  }

  /**
   * Prometheus text format 0.0.4. No key is needed for it, so whoever asks while it is being made waits for the next one, together with all others, and
   * between two of them lies ten times what one took.
   */
  text(): Promise<string> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      const made = this.#make();
      this.#last = made.then(
        () => this.#rest(),
        () => this.#rest(),
      );
      return made;
    });
    return this.#next;
  }

  async #make(): Promise<string> {
    this.#began = performance.now();
    await Promise.all(this.#measures.map((measure) => measure()));
    const texts: string[] = [];
    let since = performance.now();
    for (const { name } of this.registry.getMetricsAsArray()) {
      texts.push(await this.registry.getSingleMetricAsString(name));
      if (performance.now() - since < SLICE_MS) continue;
      // A gauge for each partition of each view is a thousand lines: other requests are served in between.
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
    return `${texts.join('\n\n')}\n`;
  }

  #rest(): Promise<void> {
    const restMs = Math.min(MAX_REST_MS, (performance.now() - this.#began) * REST_FACTOR);
    return new Promise((resolve) => setTimeout(resolve, restMs).unref());
  }
}
