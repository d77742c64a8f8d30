import { Admin, ConfigResourceTypes, FetchIsolationLevels } from '@platformatic/kafka';
import type { KafkaLogOptions } from '../options.js';
import { LATEST } from '../protocol.js';
import type { Broker, TopicShape } from '../types.js';
import { clientOptions, rotateBrokers } from './client.js';

const METADATA_MS = 4_000;
const ADMIN_MS = 20_000;
const REQUEST_LIMIT = 'socket.request.max.bytes';
/** The operation of IncrementalAlterConfigs that sets a value. */
const SET = 0;

/** Metadata and administration of the cluster. No call is retried here (`retries: 0`): the caller decides about a retry. */
export class ClusterClient {
  /** For requests that a broker answers without waiting for others, with a short timeout. */
  readonly #metadata: Admin;
  readonly #admin: Admin;

  constructor(options: KafkaLogOptions) {
    const base = { ...clientOptions(options, 'control'), retries: 0, metadataMaxAge: 0 };
    this.#metadata = rotateBrokers(new Admin({ ...base, requestTimeout: METADATA_MS }));
    this.#admin = rotateBrokers(new Admin({ ...base, requestTimeout: ADMIN_MS, timeout: ADMIN_MS }));
  }

  async brokers(): Promise<ReadonlyMap<number, Broker>> {
    const { brokers } = await this.#metadata.metadata({ topics: [], forceUpdate: true });
    return new Map([...brokers].map(([id, { host, port }]) => [id, { id, host, port }]));
  }

  /** Throws an error for which isUnknownTopic() is true when one of the topics is missing. */
  async shapes(topics: readonly string[]): Promise<Map<string, TopicShape>> {
    const found = await this.#metadata.metadata({ topics: [...topics], forceUpdate: true });
    const out = new Map<string, TopicShape>();
    for (const topic of topics) {
      const shape = found.topics.get(topic);
      if (!shape) continue;
      const behind = shape.partitions.filter((p) => p.isr.length < p.replicas.length).length;
      out.set(topic, {
        id: shape.id,
        leaders: shape.partitions.map((p) => p.leader),
        epochs: shape.partitions.map((p) => p.leaderEpoch),
        behind,
        replicas: Math.min(...shape.partitions.map((p) => p.replicas.length)),
      });
    }
    return out;
  }

  /** The ids of the brokers that keep each partition. */
  async replicas(topic: string): Promise<readonly (readonly number[])[]> {
    const found = await this.#metadata.metadata({ topics: [topic], forceUpdate: true });
    return found.topics.get(topic)!.partitions.map((p) => p.replicas);
  }

  async topics(): Promise<string[]> {
    // listTopics() asks the broker of the last metadata request; this one moves on from a broker that does not answer
    await this.#metadata.metadata({ topics: [], forceUpdate: true });
    return this.#metadata.listTopics();
  }

  /** `replicas` -1: the default of the cluster. Throws TOPIC_ALREADY_EXISTS when one topic exists; the others are created all the same. */
  async create(
    topics: readonly { readonly name: string; readonly partitions: number }[],
    replicas: number,
    configs: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#admin.createTopics({
      topics: topics.map((t) => ({ topic: t.name, partitions: t.partitions, replicas })),
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    });
  }

  async delete(topic: string): Promise<void> {
    await this.#admin.deleteTopics({ topics: [topic] });
  }

  /** These settings of each topic, in one request. */
  async settings(
    topics: readonly string[],
    names: readonly string[],
  ): Promise<Map<string, Readonly<Record<string, string | null>>>> {
    const found = await this.#admin.describeConfigs({
      resources: topics.map((t) => ({
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: t,
        configurationKeys: [...names],
      })),
    });
    return new Map(
      found.map((r) => [r.resourceName, Object.fromEntries(r.configs.map((c) => [c.name, c.value ?? null]))]),
    );
  }

  async configs(topics: readonly string[], name: string): Promise<Map<string, string | null>> {
    const found = await this.#admin.describeConfigs({
      resources: topics.map((t) => ({
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: t,
        configurationKeys: [name],
      })),
    });
    return new Map(found.map((r) => [r.resourceName, r.configs.find((c) => c.name === name)?.value ?? null]));
  }

  /** The largest request that each of these brokers reads (socket.request.max.bytes), in bytes. Rejects also when this client may not ask for it. */
  async requestLimits(brokers: readonly number[]): Promise<number[]> {
    const found = await this.#admin.describeConfigs({
      resources: brokers.map((id) => ({
        resourceType: ConfigResourceTypes.BROKER,
        resourceName: String(id),
        configurationKeys: [REQUEST_LIMIT],
      })),
    });
    return found.flatMap((r) => r.configs.filter((c) => c.name === REQUEST_LIMIT).map((c) => Number(c.value)));
  }

  /** Sets these settings of a topic and leaves the others as they are (AlterConfigs without `incremental` would reset them). */
  async alter(topic: string, configs: Readonly<Record<string, string>>): Promise<void> {
    await this.#admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configs: Object.entries(configs).map(([name, value]) => ({ name, value, configOperation: SET })),
        },
      ],
    });
  }

  /** By partition number: the offset for LATEST (with `committed` the last stable offset), EARLIEST, or of the first record with that append time or later (ms since 1970), -1 when there is none. */
  async offsets(
    topic: string,
    partitions: readonly number[],
    timestamp: bigint,
    committed: boolean,
  ): Promise<bigint[]> {
    const [found] = await this.#metadata.listOffsets({
      topics: [{ name: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp })) }],
      isolationLevel: committed ? FetchIsolationLevels.READ_COMMITTED : FetchIsolationLevels.READ_UNCOMMITTED,
    });
    const out: bigint[] = [];
    for (const p of found?.partitions ?? []) out[p.partitionIndex] = p.offset;
    return out;
  }

  /** Rejects while one of these partitions has a leader which does not know yet that it leads: it learns that a moment after the metadata names it. */
  async expectLeaders(counts: ReadonlyMap<string, number>): Promise<void> {
    await this.#metadata.listOffsets({
      topics: [...counts].map(([name, count]) => ({
        name,
        partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: LATEST })),
      })),
    });
  }

  close(): Promise<void> {
    return Promise.all([this.#metadata.close(), this.#admin.close()]).then(() => undefined);
  }
}
