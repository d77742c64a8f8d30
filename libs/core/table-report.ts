import type { CopiesReport, SettledReport } from '#duplicates';
import { asFault } from '#faults';
import type { Logger, Metrics } from '#telemetry';
import type { Concerns } from './concerns.js';

/** Alarms of control tables: a line in the log and a count. Never the content of a record: it may hold secrets, and so may the message of a parser. */
export function tableReport(
  logger: Pick<Logger, 'error' | 'info'>,
  metrics: Pick<Metrics, 'alarms'>,
  concerns: Concerns,
): CopiesReport & SettledReport {
  const aboutReading = (topic: string, partition: number) => ({
    subject: topic,
    setting: `reading partition ${partition}`,
  });
  const ofStream = (stream: string) => ({ subject: stream, setting: 'topic' });
  return {
    unreadable: ({ topic, key, offset, cause }) => {
      const code = 'control_record_unreadable';
      metrics.alarms.inc({ code });
      const error = cause instanceof Error ? cause.name : 'Error';
      logger.error(
        // a field named `key` would be redacted: the logger takes it for a secret
        { code, topic, row: key, offset: String(offset), error },
        'control record cannot be read, its key has no row',
      );
    },
    streamMissing: (stream) => {
      const code = 'unknown_topic';
      metrics.alarms.inc({ code });
      logger.error({ code, stream }, 'the topic of a stream is missing in the log');
      concerns.note({
        ...ofStream(stream),
        actual: 'missing in the log: its events cannot be published or read, nor the views that fold it',
        needed: 'the topic: restore it from a backup, or start a hub again, which makes it anew, empty',
      });
    },
    streamFound: (stream) => {
      concerns.settle(ofStream(stream));
      logger.info({ stream }, 'the topic of a stream is there again');
    },
    stuck: ({ topic, partition, cause }) => {
      const code = 'control_topic_unreadable';
      const { code: reason, detail } = asFault(cause);
      const actual = `fails (${detail === undefined ? reason : `${reason}: ${detail}`}); what it says grows old`;
      const needed = 'the topic as it was: restore it from a backup, then start the hub again';
      // Each try reports; an operator needs one line.
      if (!concerns.note({ ...aboutReading(topic, partition), actual, needed })) return;
      metrics.alarms.inc({ code });
      logger.error({ code, topic, partition, reason, detail }, 'control topic cannot be read on, retried');
    },
    followed: ({ topic, partition }) => {
      concerns.settle(aboutReading(topic, partition));
      logger.info({ topic, partition }, 'control topic is read on again');
    },
    listLost: ({ topic, partition }) => {
      const code = 'log_mismatch';
      metrics.alarms.inc({ code });
      logger.error({ code, table: topic, partition }, 'the list of copies was lost, owners list them again');
      concerns.note({
        subject: topic,
        setting: 'topic',
        actual: 'made again, or rows lost: the owners of partitions list their copies again',
        needed: 'nothing while a hub runs; what was lost while none ran is said by an alarm for each partition',
      });
    },
    earlierCopies: (found) => logger.info(found, 'copies listed by an earlier version are read too'),
  };
}
