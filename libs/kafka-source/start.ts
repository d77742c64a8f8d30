import { jittered, pause } from '#concurrency';
import { faultOfKafka, KafkaSourceFault } from './faults.js';

const START_MS = 30_000;
const RETRY_MS = 500;

/** The hub has no such type. */
export function unknownType(type: string): KafkaSourceFault {
  return new KafkaSourceFault('unknown_type', `the hub has no event type ${type}; see: simpul type ls`);
}

/** Tries for 30 s: a broker may be starting. What is final is not tried again. */
export async function untilOpened<T>(open: () => Promise<T>, isStopping: () => boolean): Promise<T> {
  const end = performance.now() + START_MS;
  for (;;)
    try {
      return await open();
    } catch (error) {
      if (performance.now() > end || isStopping() || isFinalAtStart(error)) throw error;
      await pause(jittered(RETRY_MS));
    }
}

/** A login or a certificate that is refused, a right that is missing. */
function isFinalAtStart(error: unknown): boolean {
  const { code } = faultOfKafka(error, { brokers: [], group: '' });
  return code !== 'kafka_unreachable' && code !== 'kafka_failed';
}
