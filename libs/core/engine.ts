import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  asFault,
  Fault,
  innermostMessage,
  OnceAMinute,
  verbatim,
  type FaultCode,
  type Problem,
  type Text,
} from '#faults';
import { openDataFolder } from '#folder';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import type { KafkaReport } from '#log-kafka';
import type { HubSettings } from '#settings';
import type { State } from '#state';
import { openEmbeddedState } from '#state-embedded';
import type { RedisReport } from '#state-redis';
import type { Logger, Metrics } from '#telemetry';
import { ageClockOf } from './clock.js';
import { Concerns } from './concerns.js';
import { embeddedLogReport, embeddedStateReport } from './embedded-report.js';

/** The data folder of the process and the two ports behind it. */
export interface Engine {
  readonly log: EventLog;
  readonly state: State;
  /** Closes both ports, then gives the data folder back. */
  close(): Promise<void>;
}

/** Takes the data folder and opens both ports. On a failure everything is closed and the folder is free. Faults of openPorts, and data_locked, data_format. */
export async function openEngine(
  settings: HubSettings,
  logger: Logger,
  metrics: Pick<Metrics, 'alarms'>,
  concerns: Concerns,
  now: () => number,
): Promise<Engine> {
  await using opening = new AsyncDisposableStack();
  const folder = openDataFolder(settings.dataDir, settings.engine);
  opening.defer(() => folder.release());
  const { log, state, close } = await openPorts(settings, logger, metrics, concerns, now);
  opening.defer(close);
  const open = opening.move();
  return { log, state, close: () => open.disposeAsync() };
}

/**
 * Opens both ports. Kafka and Redis are probed at the same time and not retried: a wrong password, CA or address is a Fault with the innermost cause
 * (`log_unavailable`, `state_unavailable`; one Fault names both when both fail). Events of the Kafka clients become log lines.
 */
async function openPorts(
  settings: HubSettings,
  logger: Logger,
  metrics: Pick<Metrics, 'alarms'>,
  concerns: Concerns,
  now: () => number,
): Promise<Engine> {
  if (settings.engine === 'embedded') {
    await using opening = new AsyncDisposableStack();
    const log = opening.adopt(await openLog(settings, logger, metrics, concerns, now), (l) => l.close());
    const state = await openEmbeddedState({
      dir: settings.dataDir,
      now,
      ageClock: ageClockOf(now),
      report: embeddedStateReport(logger, metrics),
    });
    opening.move();
    return { log, state, close: () => closeBoth(log, state) };
  }
  const { redis, redisCa, kafka } = settings;
  if (kafka === undefined || redis === undefined)
    throw new Fault('invalid_settings', { detail: 'SIMPUL_KAFKA, SIMPUL_REDIS' });
  const { openRedisState } = await import('#state-redis');
  const [log, state] = await Promise.allSettled([
    openLog(settings, logger, metrics, concerns, now),
    openRedisState({
      url: redis.reveal(),
      now,
      ...(kafka.prefix === undefined ? {} : { prefix: kafka.prefix }),
      ...(redisCa === undefined ? {} : { ca: redisCa }),
      report: redisReport(logger, metrics, concerns),
    }),
  ]);
  if (log.status === 'fulfilled' && state.status === 'fulfilled')
    return { log: log.value, state: state.value, close: () => closeBoth(log.value, state.value) };
  const failed: Problem[] = [];
  if (log.status === 'fulfilled') await log.value.close();
  else failed.push({ pointer: 'SIMPUL_KAFKA', ...whyOf(log.reason) });
  if (state.status === 'fulfilled') await state.value.close();
  else failed.push({ pointer: 'SIMPUL_REDIS', ...whyOf(state.reason) });
  const [first] = failed;
  throw new Fault(first?.code ?? 'internal', {
    problems: failed,
    detail: failed.map((p) => `${p.pointer}: ${p.reason}`).join('; '),
  });
}

/** Opens the log port alone, for maintenance commands. Faults log_unavailable with the innermost cause, invalid_settings, and those of openEmbeddedLog. */
export async function openLog(
  settings: HubSettings,
  logger: Logger,
  metrics: Pick<Metrics, 'alarms'>,
  concerns: Concerns = new Concerns(),
  now: () => number = Date.now,
): Promise<EventLog> {
  if (settings.engine === 'embedded')
    return openEmbeddedLog({
      dir: settings.dataDir,
      now,
      ageClock: ageClockOf(now),
      address: settings.address,
      // both are made after the log: a start with an empty log would acknowledge as if nothing had ever been recorded
      held: ['state.sqlite', 'admin.key'].some((name) => existsSync(join(settings.dataDir, name))),
      report: embeddedLogReport(logger, metrics),
    });
  const { kafka } = settings;
  if (kafka === undefined) throw new Fault('invalid_settings', { detail: 'SIMPUL_KAFKA' });
  const { brokers, prefix, sasl, ca, accept } = kafka;
  const { openKafkaLog } = await import('#log-kafka');
  return openKafkaLog({
    brokers,
    clientId: 'simpul',
    address: settings.address,
    accept,
    report: kafkaReport(logger, metrics, concerns),
    ...(prefix === undefined ? {} : { prefix }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl, password: sasl.password.reveal() } }),
    ...(ca === undefined ? {} : { tls: ca === 'system' ? {} : { ca } }),
  });
}

export function kafkaReport(logger: Logger, { alarms }: Pick<Metrics, 'alarms'>, concerns: Concerns): KafkaReport {
  return {
    topicConcern: ({ topic, setting, actual, needed, command }) => {
      const concern = { subject: topic, setting, actual, needed, ...(command === undefined ? {} : { command }) };
      // Topics are ensured again and again; a concern is one line in the life of a process.
      if (!concerns.note(concern)) return;
      alarms.inc({ code: 'topic_unsafe' });
      const { subject: kafkaTopic, ...facts } = concern;
      // a field named `subject` would be redacted: the logger takes it for the subject of an event
      logger.warn({ code: 'topic_unsafe', kafkaTopic, ...facts }, 'kafka topic is not as the hub needs it');
    },
    producerRenewed: (topic, partition, what, reason) =>
      logger.warn({ topic, partition, reason }, `kafka producer ${what} renewed`),
    appendUncertain: (topic, partition, reason) => logger.warn({ topic, partition, reason }, 'kafka append uncertain'),
    wroteElsewhere: (topic, partition, acknowledged) =>
      logger.warn(
        {
          topic,
          partition,
          acknowledgedPartition: acknowledged?.partition,
          acknowledgedOffset: acknowledged && String(acknowledged.base),
        },
        'kafka append acknowledged at an unexpected offset',
      ),
    rejoining: (group, reason) => logger.warn({ group, reason }, 'kafka group member rejoins'),
    memberFailed: ({ topic, partition }, error) =>
      logger.warn({ topic, partition, reason: innermostMessage(error) }, 'kafka group member failed, retrying'),
    readFailed: ({ topic, partition }, error) =>
      logger.warn({ topic, partition, reason: innermostMessage(error) }, 'kafka read failed, retrying'),
    batchUnreadable: (topic, partition, { first, last, reason }) => {
      alarms.inc({ code: 'batch_unreadable' });
      logger.error(
        { code: 'batch_unreadable', topic, partition, first: String(first), last: String(last), reason },
        'kafka batch cannot be read: no gateway wrote it',
      );
    },
    transactionOpen: ({ topic, partition, lastStable, highWatermark, openMs }) => {
      alarms.inc({ code: 'transaction_open' });
      logger.error(
        {
          code: 'transaction_open',
          topic,
          partition,
          lastStable: String(lastStable),
          highWatermark: String(highWatermark),
          openSeconds: Math.round(openMs / 1_000),
        },
        'kafka transaction stays open; see kafka-transactions.sh find-hanging',
      );
    },
    clientError: (client, message) => logger.warn({ client, reason: message }, 'kafka client error'),
  };
}

export function redisReport(
  logger: Logger,
  { alarms }: Pick<Metrics, 'alarms'>,
  concerns: Concerns = new Concerns(),
): RedisReport {
  const once = new OnceAMinute(() => performance.now());
  const foreignWrites = (actual: string): void =>
    void concerns.note({
      subject: 'redis',
      setting: 'keys of the hub',
      actual,
      needed: 'a Redis, or a SIMPUL_KAFKA_PREFIX, that nobody else writes into; restart the hub once that is so',
    });
  const raise = (code: 'state_untrusted' | 'state_evicted' | 'state_damaged', facts: object): void => {
    alarms.inc({ code });
    logger.error({ code, ...facts }, 'redis alarm');
  };
  return {
    untrusted: (node, reason) => raise('state_untrusted', { node, reason }),
    trusted: () => logger.info({}, 'redis is trusted again'),
    damaged: ({ view, partition, key: aside }, now, cause) => {
      // Each read tells of it.
      if (now === 'kept' && !once.first(`${view}/${partition}`)) return;
      raise('state_damaged', {
        view,
        partition,
        ...(now === 'set' ? { aside } : {}),
        reason: innermostMessage(cause),
      });
      foreignWrites(
        now === 'set'
          ? 'somebody else wrote into a view partition: it was set aside, and is folded again'
          : 'somebody else goes on writing into a view partition: reads of it are refused for a while',
      );
    },
    damagedRows: (rows) => {
      raise('state_damaged', { rows, reason: 'rows of the duplicate index were written by somebody else' });
      foreignWrites('somebody else wrote into the duplicate index: rows of 8 days are written again');
    },
    leftOldLayout: () =>
      logger.info({}, 'views in the storage layout of release 0.1 are folded again, and their old keys are removed'),
    evicted: (node, keys) =>
      raise('state_evicted', {
        node,
        keys,
        reason: 'evicted views are folded again; see maxmemory and maxmemory-policy, then redis-cli CONFIG RESETSTAT',
      }),
  };
}

/** The innermost cause. Some adapters put it into the detail, others only into `cause`. */
function whyOf(e: unknown): { code: FaultCode; reason: Text } {
  const { code, cause, detail } = asFault(e);
  return { code, reason: verbatim(cause === undefined ? (detail ?? code) : innermostMessage(cause)) };
}

async function closeBoth(log: EventLog, state: State): Promise<void> {
  const ends = await Promise.allSettled([log.close(), state.close()]);
  for (const end of ends)
    if (end.status === 'rejected')
      throw new Fault('internal', { detail: innermostMessage(end.reason), cause: end.reason });
}
