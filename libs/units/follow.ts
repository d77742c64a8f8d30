import type { SkippedChange, UnitEvent, UnitRegistry } from './open.js';

/** The stream that changes units; it has one partition. */
export const UNITS_STREAM = 'org.unit';
const RETRY_MS = 1_000;
const MAX_EVENTS = 400;

export interface UnitFoldDeps {
  readonly registry: UnitRegistry;
  /**
   * `org.unit.berubah` events of `org.unit` from an offset on, below its settled end and without copies, at most `max`; `next` is where to go on.
   * Waits up to `waitMs` for a first one.
   */
  readonly read: (
    from: bigint,
    limits: { readonly max: number; readonly waitMs: number; readonly signal: AbortSignal },
  ) => Promise<{ readonly events: readonly UnitEvent[]; readonly next: bigint }>;
  /** Told of a failed step; it is tried again a second later. */
  readonly onError: (e: unknown) => void;
  /** Told of a change that does not fit the registry, by the process that folded past it. */
  readonly onSkipped?: (change: SkippedChange) => void;
  /** @default 2 s */
  readonly waitMs?: number;
}

export interface UnitFold {
  /** Ends after the step that is running. */
  stop(): Promise<void>;
}

/** Folds `org.unit` into the registry of units for ever. Any number of processes may do so: the table has one writer at a time and one position. */
export function startUnitFold(deps: UnitFoldDeps): UnitFold {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { registry } = deps;
  const run = async (): Promise<void> => {
    let next = registry.next;
    while (!signal.aborted)
      try {
        const batch = await deps.read(next, { max: MAX_EVENTS, waitMs: deps.waitMs ?? 2_000, signal });
        if (batch.events.length > 0)
          next = await registry.fold(registry.next, after(batch.events, registry.next), batch.next, deps.onSkipped);
        else next = batch.next;
      } catch (e) {
        if (signal.aborted) return;
        deps.onError(e);
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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      done();
    }
    signal.addEventListener('abort', end);
  });
}
