import type { Concern, Core } from '#core';
import type { SnapshotStatus } from '#projection';

export interface SnapshotWatchDeps {
  readonly log: Pick<Core['log'], 'describe' | 'read'>;
  readonly views: Core['views'];
  readonly catalogue: Pick<Core['registry']['catalogue'], 'stream'>;
  readonly concerns: Pick<Core['concerns'], 'note' | 'settle'>;
  readonly now: () => number;
  /** The snapshots of the held view partitions. */
  readonly snapshots: () => readonly SnapshotStatus[];
  readonly alarm: (facts: Concern) => void;
}

const SETTING = 'snapshot';

/**
 * Looks at the views over streams that delete events (R6.2): without a complete snapshot, or with one that lags behind by half of the retention, a lost store
 * would lose what the stream has deleted. A concern for each stored view until it is mended, and an alarm when it begins or changes.
 */
export class SnapshotWatch {
  readonly #deps: SnapshotWatchDeps;
  /** Found at the look before: a snapshot that was just opened is given one more look. */
  #suspected: ReadonlySet<string> = new Set();
  readonly #noted = new Set<string>();

  constructor(deps: SnapshotWatchDeps) {
    this.#deps = deps;
  }

  /** Call it once a minute. Faults of the log. */
  async look(): Promise<void> {
    const { concerns, alarm } = this.#deps;
    const risks = new Map<string, string>();
    for (const status of this.#deps.snapshots()) {
      const risk = await this.#riskOf(status);
      if (risk !== undefined && !risks.has(status.storage)) risks.set(status.storage, risk);
    }
    for (const subject of this.#noted)
      if (!risks.has(subject)) {
        this.#noted.delete(subject);
        concerns.settle({ subject, setting: SETTING });
      }
    for (const [subject, actual] of risks) {
      if (!this.#suspected.has(subject)) continue;
      this.#noted.add(subject);
      const concern = { subject, setting: SETTING, actual, needed: 'complete, and near the end of the stream' };
      if (concerns.note(concern)) alarm(concern);
    }
    this.#suspected = new Set(risks.keys());
  }

  async #riskOf({ view: name, partition, state, places }: SnapshotStatus): Promise<string | undefined> {
    const { views, catalogue, log, now } = this.#deps;
    const streams = views.find((v) => v.name === name)?.streams ?? [];
    for (const stream of streams) {
      const retentionMs = catalogue.stream(stream)?.retentionMs;
      if (retentionMs === undefined || state === 'filling') continue;
      const next = places.find((p) => p.stream === stream)?.next;
      if (next === undefined) return `partition ${partition} has no complete snapshot, and ${stream} deletes events`;
      const range = (await log.describe(stream)).find((r) => r.partition === partition);
      if (range === undefined || next >= range.high) continue;
      const behind = `partition ${partition} stands at offset ${next} of ${stream}`;
      if (next < range.low) return `${behind}, which begins at ${range.low} now`;
      const read = await log.read(stream, partition, next, { maxRecords: 1 });
      const first = read.kind === 'records' ? read.records[0] : undefined;
      if (first !== undefined && now() - first.appendTimeMs > retentionMs / 2)
        return `${behind}, and the event there has passed half of its retention`;
    }
    return undefined;
  }
}
