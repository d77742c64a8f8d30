import { decodeFetch, type FetchAnswer } from './decode.js';
import type { KafkaLogOptions } from './options.js';
import { FETCH, newPool, READ_COMMITTED } from './platformatic.js';
import type { FetchOrder, Node, WantedPartition } from './wire.js';

/** Connections that carry fetches and nothing else; one request at a time on each. */
export class Fetcher {
  readonly #pool: ReturnType<typeof newPool>;

  constructor(options: KafkaLogOptions, role: string) {
    this.#pool = newPool(options, role);
  }

  /** Rejects when the broker cannot be reached or does not answer; an error of one partition stands in its part. */
  async fetch(node: Node, brokerVersion: number, order: FetchOrder): Promise<FetchAnswer> {
    const version = Math.min(brokerVersion, 17) as keyof typeof FETCH;
    const api = FETCH[version];
    if (!api) throw new Error('Kafka older than 3.1 is not supported (Fetch without topic ids)');
    const topics = new Map<string, WantedPartition[]>();
    for (const w of order.wanted) {
      const list = topics.get(w.topicId);
      if (list) list.push(w);
      else topics.set(w.topicId, [w]);
    }
    const requested = [...topics].map(([topicId, list]) => ({
      topicId,
      partitions: list.map((w) => ({
        partition: w.partition,
        currentLeaderEpoch: -1,
        fetchOffset: w.from,
        lastFetchedEpoch: -1,
        partitionMaxBytes: w.maxBytes,
      })),
    }));
    const forgotten = order.forgotten.map((f) => ({ topicId: f.topicId, partitions: [f.partition] }));
    const connection = await this.#pool.get(node);
    return new Promise((resolve, reject) => {
      connection.send(
        1,
        version,
        () =>
          api.createRequest(
            order.waitMs,
            1,
            order.maxBytes,
            READ_COMMITTED,
            order.session,
            order.epoch,
            requested,
            forgotten,
            '',
          ),
        (_id, _key, _version, reader) => decodeFetch(reader.buffer.slice(reader.position)),
        true,
        true,
        (error, answer) => (answer ? resolve(answer) : reject(error ?? new Error('no answer'))),
      );
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
