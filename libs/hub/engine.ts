import { innermostMessage, Fault } from '#faults';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import type { HubSettings } from '#settings';
import type { State } from '#state';
import { openEmbeddedState } from '#state-embedded';
import type { Logger } from '#telemetry';

export interface Engine {
  readonly log: EventLog;
  readonly state: State;
  close(): Promise<void>;
}

/**
 * The two ports of the deployment's engine. Kafka and Redis are probed first: a wrong password, CA or address is told by its innermost cause
 * (Faults `log_unavailable`, `state_unavailable`), not retried for ever. What the Kafka clients tell goes to the logger.
 */
export async function openEngine(settings: HubSettings, logger: Logger): Promise<Engine> {
  if (settings.engine === 'embedded') {
    const log = await openEmbeddedLog({ dir: settings.dataDir });
    const state = await openEmbeddedState({ dir: settings.dataDir });
    return { log, state, close: () => closeBoth(log, state) };
  }
  const { kafka, redis } = settings;
  if (kafka === undefined || redis === undefined)
    throw new Fault('invalid_settings', { detail: 'SIMPUL_KAFKA, SIMPUL_REDIS' });
  const [{ openKafkaLog }, { openRedisState }] = await Promise.all([import('#log-kafka'), import('#state-redis')]);
  const log = await openKafkaLog({
    brokers: kafka.brokers,
    clientId: 'simpul',
    onEvent: ({ kind, ...facts }) => logger.warn({ kind, ...facts }, 'kafka'),
    ...(kafka.prefix === undefined ? {} : { prefix: kafka.prefix }),
    ...(kafka.sasl === undefined
      ? {}
      : {
          sasl: {
            mechanism: kafka.sasl.mechanism,
            username: kafka.sasl.username,
            password: kafka.sasl.password.reveal(),
          },
        }),
    ...(kafka.ca === undefined ? {} : { tls: kafka.ca === 'system' ? {} : { ca: kafka.ca } }),
  });
  let state: State;
  try {
    await log.ping();
    state = await openRedisState({
      url: redis.reveal(),
      ...(kafka.prefix === undefined ? {} : { prefix: kafka.prefix }),
    });
  } catch (e) {
    await log.close();
    throw e;
  }
  return { log, state, close: () => closeBoth(log, state) };
}

async function closeBoth(log: EventLog, state: State): Promise<void> {
  const ends = await Promise.allSettled([log.close(), state.close()]);
  for (const end of ends)
    if (end.status === 'rejected')
      throw new Fault('internal', { detail: innermostMessage(end.reason), cause: end.reason });
}
