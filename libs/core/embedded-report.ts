import type { EmbeddedLogReport } from '#log-embedded';
import type { EmbeddedStateReport } from '#state-embedded';
import type { Logger, Metrics } from '#telemetry';

/** What the embedded log tells an operator: a line of the log, and an alarm for what needs a person. */
export function embeddedLogReport(logger: Logger, { alarms }: Pick<Metrics, 'alarms'>): EmbeddedLogReport {
  return {
    damaged: ({ topic, partition, first, last }) => {
      alarms.inc({ code: 'log_damaged' }, Number(last - first) + 1);
      logger.error(
        { code: 'log_damaged', topic, partition, first: String(first), last: String(last) },
        'records of the log are damaged',
      );
    },
    migrated: () => logger.info({}, 'the log was brought to format 2; events written before get their checksums now'),
    sealed: (records) => logger.info({ records }, 'events written before there were checksums have them now'),
  };
}

/** The same of the embedded state. */
export function embeddedStateReport(logger: Logger, { alarms }: Pick<Metrics, 'alarms'>): EmbeddedStateReport {
  return {
    setAside: (file, reason) => {
      alarms.inc({ code: 'state_damaged' });
      logger.error(
        { code: 'state_damaged', file, reason },
        'state.sqlite is damaged and was set aside; views and duplicate index are folded again',
      );
    },
  };
}
