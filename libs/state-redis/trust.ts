import { Fault } from '#faults';

/** What the INFO text of a node says about whether it can hold the state. */
interface NodeInfo {
  readonly runId: string;
  readonly version: string;
  readonly role: string;
  readonly policy: string;
  readonly evictedKeys: number;
}

function parseInfo(text: string): NodeInfo {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? '';
  return {
    runId: field('run_id'),
    version: field('redis_version'),
    role: field('role'),
    policy: field('maxmemory_policy'),
    evictedKeys: Number(field('evicted_keys')) || 0,
  };
}

const isReplica = ({ role }: NodeInfo): boolean => role === 'slave';

/** Why this node cannot hold the state at this moment, with the next step. undefined: it can. */
function distrust(info: NodeInfo): string | undefined {
  const { policy } = info;
  if (policy !== 'noeviction')
    return `Redis maxmemory-policy is ${policy || 'unknown'}; it must be noeviction, or state would vanish unseen (redis-cli CONFIG SET maxmemory-policy noeviction)`;
  if (isReplica(info)) return 'this Redis is a read-only replica; give its master, or Sentinel';
  return undefined;
}

/** Throws when a start on this node must be refused: Fault `invalid_settings` (eviction policy, version) or `state_unavailable` (read-only replica). */
export function checkAtStart(text: string): void {
  const info = parseInfo(text);
  const reason = distrust(info);
  if (reason !== undefined)
    throw new Fault(isReplica(info) ? 'state_unavailable' : 'invalid_settings', { detail: reason });
  const [major = 0, minor = 0] = info.version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2))
    throw new Fault('invalid_settings', { detail: `Redis is ${info.version}; 6.2 or later is needed` });
}

/** `key`: under which the first of its keys stays. */
export interface DamagedPartition {
  readonly view: string;
  readonly partition: number;
  readonly key: string;
}

/** What the adapter reports about the servers behind it. All calls return at once. */
export interface RedisReport {
  /** A server can no longer hold the state: until it can, commits and the duplicate index are refused with `state_untrusted`. Reported once for each reason. */
  untrusted?(node: string, reason: string): void;
  /** Every server can hold the state again. */
  trusted?(): void;
  /** A server has evicted keys since the last look, or before the first one. */
  evicted?(node: string, keys: number): void;
  /**
   * The keys of a view partition held what this room has not written. `set`: they stay under `key` for a day, and the partition is folded again. `kept`: it
   * happened again within a minute, so they are left as they are for a while, and reads of the partition are refused.
   */
  damaged?(where: DamagedPartition, now: 'set' | 'kept', cause: unknown): void;
  /** Rows of the duplicate index held what this room has not written: they count as evicted. */
  damagedRows?(rows: number): void;
  /**
   * View partitions in the storage layout of release 0.1 were found: each is folded again, and its old keys are removed with its first commit; positions of
   * the duplicate index are taken over. Reported once.
   */
  leftOldLayout?(): void;
}

/** The judgement over all nodes, from the INFO texts that they answer. */
export class Trust {
  readonly #report: RedisReport;
  readonly #reasons = new Map<string, string>();
  readonly #seen = new Map<string, NodeInfo>();

  constructor(report: RedisReport = {}) {
    this.#report = report;
  }

  /** The first reason for distrust; undefined: every node is trusted. */
  get reason(): string | undefined {
    return this.#reasons.values().next().value;
  }

  /** Takes the INFO texts of all masters. `evicted`: how many keys they have evicted since the last time. `replica`: some node is a replica. */
  judge(texts: ReadonlyMap<string, string>): { readonly evicted: number; readonly replica: boolean } {
    const before = new Map(this.#reasons);
    this.#reasons.clear();
    let evicted = 0;
    let replica = false;
    for (const [node, text] of texts) {
      const info = parseInfo(text);
      const reason = distrust(info);
      if (reason !== undefined) {
        this.#reasons.set(node, reason);
        if (before.get(node) !== reason) this.#report.untrusted?.(node, reason);
      }
      replica ||= isReplica(info);
      const last = this.#seen.get(node);
      const keys = info.evictedKeys - (last?.runId === info.runId ? last.evictedKeys : 0);
      this.#seen.set(node, info);
      if (keys <= 0) continue;
      evicted += keys;
      this.#report.evicted?.(node, keys);
    }
    if (before.size > 0 && this.#reasons.size === 0) this.#report.trusted?.();
    return { evicted, replica };
  }
}
