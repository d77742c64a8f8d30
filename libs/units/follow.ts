import { pause } from '#concurrency';
import type { UnitEvent, UnitRegistry, UnitsReport } from './open.js';

/** The stream of unit changes; it has one partition. */
export const UNITS_STREAM = 'org.unit';
const RETRY_MS = 1_000;
const MAX_EVENTS = 400;

export interface UnitFoldDeps {
  readonly registry: UnitRegistry;
  /**
   * Reads at most `max` `org.unit.berubah` events from an offset of `org.unit` on, below the settled end and without copies. Waits up to `waitMs` for the first
   * event (long poll). `next` is the offset to continue from.
   */
  readonly read: (
    from: bigint,
    limits: { readonly max: number; readonly waitMs: number; readonly signal: AbortSignal },
  ) => Promise<{ readonly events: readonly UnitEvent[]; readonly next: bigint }>;
  readonly report: UnitsReport;
  /** Duration of the long poll. @default 2,000 */
  readonly waitMs?: number;
}

export interface UnitFold {
  /** Resolves when the running step has ended. */
  stop(): Promise<void>;
}

/** Folds `org.unit` into the registry of units until it is stopped. Any number of processes may run it: the table has one writer at a time and one position. */
export function startUnitFold(deps: UnitFoldDeps): UnitFold {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { registry, report } = deps;
  const run = async (): Promise<void> => {
    let next = registry.next;
    while (!signal.aborted)
      try {
        const batch = await deps.read(next, { max: MAX_EVENTS, waitMs: deps.waitMs ?? 2_000, signal });
        if (batch.events.length > 0)
          next = await registry.fold(registry.next, after(batch.events, registry.next), batch.next, report);
        else next = batch.next;
      } catch (e) {
        if (signal.aborted) return;
        report.foldFailed?.(e);
        next = registry.next;
        await pause(RETRY_MS, signal);
      }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function after(events: readonly UnitEvent[], from: bigint): readonly UnitEvent[] {
  return events.filter((e) => e.offset >= from);
}
