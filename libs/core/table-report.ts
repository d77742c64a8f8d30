import type { CopiesReport } from '#duplicates';
import type { Logger, Metrics } from '#telemetry';

/** Alarms of control tables: a line in the log and a count. Never the content of a record: it may hold secrets, and so may the message of a parser. */
export function tableReport(logger: Pick<Logger, 'error' | 'info'>, metrics: Pick<Metrics, 'alarms'>): CopiesReport {
  return {
    unreadable: ({ topic, key, offset, cause }) => {
      const code = 'control_record_unreadable';
      metrics.alarms.inc({ code });
      const error = cause instanceof Error ? cause.name : 'Error';
      logger.error(
        { code, topic, key, offset: String(offset), error },
        'control record cannot be read, its key has no row',
      );
    },
    earlierCopies: (found) => logger.info(found, 'copies listed by an earlier version are read too'),
  };
}
