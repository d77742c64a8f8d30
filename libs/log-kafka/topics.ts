import { Fault } from '#faults';
import { MAX_RECORD_BYTES, type TopicSpec } from '#log';
import { hasCode, isUnknownTopic, type Control } from './platformatic.js';
import { trying } from './trying.js';
import type { Node, TopicShape } from './wire.js';

/** How old what we know of a topic may be. */
const FRESH_MS = 5_000;
const ADMIN_MS = 30_000;
/** A publisher waits 5 s at most (R3). */
const ASK_MS = 4_000;
const FACTS_AT_ONCE = 200;

interface Known {
  readonly shape: TopicShape;
  readonly at: number;
}

/** What is known of topics and brokers, and how topics are made. Names are Kafka's own (with prefix). */
export class Topics {
  readonly #control: Control;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<TopicShape>>();
  #nodes: ReadonlyMap<number, Node> = new Map();

  constructor(control: Control) {
    this.#control = control;
  }

  /** What is known and young enough to act on; undefined: ask `shape`. For the path of every append, where a promise costs more than the answer. */
  fresh(topic: string): TopicShape | undefined {
    const known = this.#known.get(topic);
    return known && Date.now() - known.at < FRESH_MS ? known.shape : undefined;
  }

  /** Throws Fault `unknown_topic`, `log_unavailable`. While Kafka cannot be asked, what was known before is given. */
  async shape(topic: string): Promise<TopicShape> {
    const fresh = this.fresh(topic);
    if (fresh) return fresh;
    const known = this.#known.get(topic);
    try {
      return await this.refresh(topic);
    } catch (error) {
      if (known && (error as { code?: unknown }).code === 'log_unavailable') return known.shape;
      throw error;
    }
  }

  /** Asks Kafka now. Calls for the same topic at the same time share one question. */
  refresh(topic: string): Promise<TopicShape> {
    const running = this.#asking.get(topic);
    if (running) return running;
    const asking = this.#ask(topic).finally(() => this.#asking.delete(topic));
    this.#asking.set(topic, asking);
    return asking;
  }

  async #ask(topic: string): Promise<TopicShape> {
    const known = this.#known.has(topic);
    const shape = await trying(known ? 1_000 : ASK_MS, async () => {
      try {
        return (await this.#control.shapes([topic])).get(topic);
      } catch (error) {
        if (isUnknownTopic(error)) return undefined;
        throw error;
      }
    });
    if (!shape) {
      this.#known.delete(topic);
      throw new Fault('unknown_topic', { detail: topic });
    }
    this.#known.set(topic, { shape, at: Date.now() });
    return shape;
  }

  forget(topic: string): void {
    this.#known.delete(topic);
  }

  async node(id: number): Promise<Node | undefined> {
    const node = this.#nodes.get(id);
    if (node) return node;
    this.#nodes = await this.#control.nodes();
    return this.#nodes.get(id);
  }

  /** Every broker of the cluster, at least one. Rejects when Kafka cannot be asked. */
  async nodes(): Promise<readonly Node[]> {
    if (this.#nodes.size === 0) this.#nodes = await this.#control.nodes();
    if (this.#nodes.size === 0) throw new Error('no broker in the cluster');
    return [...this.#nodes.values()];
  }

  knowsNode(id: number): boolean {
    return this.#nodes.has(id);
  }

  /** Brokers may come back at another address. */
  forgetNodes(): void {
    this.#nodes = new Map();
  }

  async brokers(): Promise<number> {
    return (await trying(ASK_MS, () => this.#control.nodes())).size;
  }

  /**
   * Makes what is missing and waits until every partition has its leader and the leader knows it. Without `inSync` the cluster's own setting holds.
   * Throws Fault `conflict` when one exists with another partition count, cleanup or retention.
   */
  async ensure(specs: readonly TopicSpec[], copies: number, inSync: number | undefined): Promise<void> {
    const wanted = new Map(specs.map((s) => [s.name, s]));
    const existing = new Set(await trying(ADMIN_MS, () => this.#control.topics()));
    const missing = [...wanted.values()].filter((s) => !existing.has(s.name));
    const alike = new Map<string, TopicSpec[]>();
    for (const spec of missing) {
      const kind = `${spec.cleanup} ${spec.retentionMs ?? ''}`;
      alike.set(kind, [...(alike.get(kind) ?? []), spec]);
    }
    for (const group of alike.values()) {
      await trying(ADMIN_MS, async () => {
        try {
          await this.#control.create(group, copies, settingsOf(group[0]!, inSync));
        } catch (error) {
          // made by another process at the same time: checked below like any other
          if (!hasCode(error, 'TOPIC_ALREADY_EXISTS')) throw error;
        }
      });
    }
    for (const name of wanted.keys()) this.forget(name);
    const names = [...wanted.keys()];
    for (let at = 0; at < names.length; at += FACTS_AT_ONCE)
      await this.#settle(names.slice(at, at + FACTS_AT_ONCE), wanted);
    for (let at = 0; at < missing.length; at += FACTS_AT_ONCE) {
      const made = new Map(missing.slice(at, at + FACTS_AT_ONCE).map((s) => [s.name, s.partitions]));
      await trying(ADMIN_MS, () => this.#control.led(made));
    }
  }

  async #settle(names: readonly string[], wanted: ReadonlyMap<string, TopicSpec>): Promise<void> {
    const shapes = await trying(ADMIN_MS, async () => {
      const now = await this.#control.shapes(names);
      const open = names.filter((n) => now.get(n)?.leaders.every((leader) => leader >= 0) !== true);
      if (open.length > 0) throw new Error(`no leader yet: ${open.slice(0, 3).join(', ')}`);
      return now;
    });
    const cleanups = await trying(ADMIN_MS, () => this.#control.configs(names, 'cleanup.policy'));
    const kept = await trying(ADMIN_MS, () => this.#control.configs(names, 'retention.ms'));
    for (const [name, shape] of shapes) {
      const spec = wanted.get(name)!;
      if (shape.leaders.length !== spec.partitions)
        throw new Fault('conflict', {
          detail: `${name} has ${shape.leaders.length} partitions, not ${spec.partitions}`,
        });
      const cleanup = spec.cleanup === 'compact' ? 'compact' : 'delete';
      if (cleanups.get(name) !== cleanup)
        throw new Fault('conflict', { detail: `${name} has cleanup.policy ${cleanups.get(name)}, not ${cleanup}` });
      const keep = String(spec.retentionMs ?? -1);
      if (kept.get(name) !== keep)
        throw new Fault('conflict', { detail: `${name} has retention.ms ${kept.get(name)}, not ${keep}` });
      this.#known.set(name, { shape, at: Date.now() });
    }
  }
}

function settingsOf(spec: TopicSpec, inSync: number | undefined): Record<string, string> {
  return {
    'cleanup.policy': spec.cleanup === 'compact' ? 'compact' : 'delete',
    'retention.ms': String(spec.retentionMs ?? -1),
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    // the largest record and its batch around it
    'max.message.bytes': String(MAX_RECORD_BYTES + 65_536),
    ...(inSync === undefined ? {} : { 'min.insync.replicas': String(inSync) }),
  };
}
