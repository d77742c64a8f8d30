import type { ViewHealth } from '#http';
import type { SnapshotState, SnapshotStatus } from '#projection';

/** Of several partitions the state that an operator must know first. */
const FIRST: readonly SnapshotState[] = ['filling', 'stopped', 'none', 'writing', 'renewing', 'complete'];

/** How the views of this process stand, for `/health/ready`. The projector of the process says it; a process without one says nothing. */
export class ViewReports {
  #ask: (() => readonly SnapshotStatus[]) | undefined;

  /** Asked at each request: it must answer at once. */
  from(ask: () => readonly SnapshotStatus[]): void {
    this.#ask = ask;
  }

  /** One row for each stored generation, over the partitions that this process holds. undefined: no projector runs here. */
  views(): readonly ViewHealth[] | undefined {
    if (this.#ask === undefined) return undefined;
    const rows = [...Map.groupBy(this.#ask(), (s) => s.storage).values()].map(rowOf);
    return rows.sort((a, b) => (a.storage < b.storage ? -1 : 1));
  }
}

function rowOf(held: readonly SnapshotStatus[]): ViewHealth {
  const { view, storage } = held[0]!;
  const upTo: Record<string, Record<string, string>> = {};
  for (const { partition, places } of [...held].sort((a, b) => a.partition - b.partition))
    for (const { stream, next } of places) (upTo[stream] ??= {})[partition] = String(next);
  const snapshot = FIRST.find((state) => held.some((s) => s.state === state))!;
  return { view, storage, partitions: held.length, snapshot, upTo };
}
