import { jittered, pause, withDeadline } from '#concurrency';
import type { ClusterLog } from './cluster-log.js';
import { faultOfKafka, forbidden, isForbiddenTopic, KafkaSourceFault } from './faults.js';
import type { KafkaOptions } from './options.js';
import { texts } from './texts.js';

const RETRY_MS = 500;
const EXPLAIN_MS = 3_000;

/** The hub has no such type. */
export function unknownType(type: string, { language }: KafkaOptions): KafkaSourceFault {
  return new KafkaSourceFault('unknown_type', texts.unknown_type({ type }), language);
}

/** Tries for some time: a broker may be starting. What is final is not tried again. */
export async function untilOpened<T>(
  open: () => Promise<T>,
  {
    patienceMs,
    isStopping,
    failed,
  }: {
    readonly patienceMs: number;
    readonly isStopping: () => boolean;
    /** Tried again after this. */
    readonly failed: (error: unknown) => void;
  },
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (;;)
    try {
      return await open();
    } catch (error) {
      if (performance.now() > end || isStopping() || isFinalAtStart(error)) throw error;
      failed(error);
      await pause(jittered(RETRY_MS));
    }
}

/** A login or a certificate that is refused, a right that is missing. */
function isFinalAtStart(error: unknown): boolean {
  const { code } = faultOfKafka(error, { brokers: [], group: '' });
  return code !== 'kafka_unreachable' && code !== 'kafka_failed';
}

/** The fault of an error. Which right is missing the cluster is asked, because kafkajs does not say it. */
export async function explained(
  error: unknown,
  log: Pick<ClusterLog, 'missingRights'> | undefined,
  topics: readonly string[],
  options: KafkaOptions,
): Promise<KafkaSourceFault> {
  if (isForbiddenTopic(error) && log !== undefined) {
    const asked = log.missingRights(topics).catch(() => []);
    const missing = await withDeadline(asked, EXPLAIN_MS, () => []);
    if (missing.length > 0) return forbidden(missing, options.language);
  }
  return faultOfKafka(error, options);
}
