import { CORE, hubPublishing, type Core } from '#core';
import { parseSource } from '#event';
import { innermostMessage, isFault, OnceAMinute } from '#faults';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { resendsOf, type MinuteOfResends } from '#publishing';
import { FINDING_KINDS } from './finding.js';
import { findingEvents } from './hub-events.js';
import { Watch, type WatchDeps, type WatchReport } from './watch.js';
import { WatchHome } from './watch-home.js';

const MINUTE_MS = 60_000;
const NEWS_MINUTES = 3;

/** Token of WatchOptions. */
export const WATCH_OPTIONS = Symbol('simpul.watch.options');
export type WatchOptions = Pick<WatchDeps, 'limits' | 'everyMs'>;

/** Watches what units send, while this process is the one that does. */
@Injectable()
export class WatchRunner implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  #watch: Watch | undefined;
  #unlisten: () => void = () => undefined;
  #closeResends: () => Promise<void> = () => Promise.resolve();
  readonly #once: OnceAMinute;

  constructor(
    @Inject(CORE) private readonly core: Core,
    private readonly home: WatchHome,
    @Inject(WATCH_OPTIONS) private readonly options: WatchOptions,
  ) {
    this.#once = new OnceAMinute(core.now);
  }

  async onModuleInit(): Promise<void> {
    const { log, reading, registry, units, now, logger, metrics } = this.core;
    const { catalogue } = registry;
    const watch = new Watch({
      ...this.options,
      log,
      reading,
      catalogue,
      units: units.units,
      table: this.home.table,
      now,
      tell: findingEvents({
        publishing: hubPublishing(this.core),
        catalogue,
        now,
        report: {
          refused: ({ code, message }) => logger.error({ code, cause: message }, 'finding refused, not published'),
        },
      }),
      report: this.#report(),
    });
    this.#watch = watch;
    const resends = await resendsOf(log, (counted) => this.#resent(counted), this.core.tableReport);
    this.#closeResends = () => resends.close();
    this.#unlisten = registry.onRegistered(() => watch.catalogueChanged());
    metrics.beforeScrape(() => {
      const open = { silent: 0, gap: 0, skew: 0, storm: 0 };
      for (const { kind, untilMs } of watch.desk?.book.findings() ?? []) if (untilMs === undefined) open[kind]++;
      for (const kind of FINDING_KINDS) metrics.findings.set({ kind }, open[kind]);
      metrics.unwatched.set(watch.desk?.book.unwatched ?? 0);
    });
  }

  /** Not awaited: joining a Kafka group takes seconds. */
  onApplicationBootstrap(): void {
    this.#watch?.join().catch((cause: unknown) => this.core.processEnd.fail('watch', cause));
  }

  async onApplicationShutdown(): Promise<void> {
    this.#unlisten();
    await this.#closeResends();
    await this.#watch?.close();
  }

  get isWatching(): boolean {
    return this.#watch?.desk !== undefined;
  }

  /** Up to when the deadlines of a type were looked at, ms; undefined: not yet, or another process watches. */
  judged(type: string): number | undefined {
    return this.#watch?.desk?.book.judgedMs(type);
  }

  /** Older counts are no news: a process that starts reads those of a day. */
  #resent({ minute, counts }: MinuteOfResends): void {
    if (minute < Math.floor(this.core.now() / MINUTE_MS) - NEWS_MINUTES) return;
    for (const { source, stream, events } of counts) {
      const from = parseSource(source);
      if (from === undefined || from.kind === 'hub') continue;
      const unit = from.kind === 'unit' ? from.unit : from.party;
      this.#watch?.resent({ source, unit, system: from.system, stream, minute, events });
    }
  }

  #report(): WatchReport {
    const { metrics, logger } = this.core;
    const alarm = (code: string, facts: object): void => {
      metrics.alarms.inc({ code });
      logger.error({ code, ...facts }, 'watch alarm');
    };
    const epochs = ({ partition, stored, epoch }: { partition: number; stored: bigint; epoch: bigint }): void =>
      alarm('owners_mismatch', { partition, stored: String(stored), epoch: String(epoch) });
    return {
      failed: (cause, stream) => {
        const code = isFault(cause) ? cause.code : 'internal';
        // A log that does not answer is one line a minute.
        if (this.#once.first(code))
          logger.warn({ code, stream, cause: innermostMessage(cause) }, 'watch step failed, retried');
      },
      disputed: (partition, times) => alarm('ownership_disputed', { partition, times }),
      epochsRaised: epochs,
      epochUnbelievable: epochs,
    };
  }
}
