import type { Caller } from './access.js';
import { isPowerful, type GrantRules } from './grant-rules.js';

const HOUR_MS = 3_600_000;
/** Doors that are told for one key and hour; what it uses beyond them is one record. */
const MAX_DOORS = 200;
const OTHERS = '…';

export interface PowerUseDeps {
  readonly rules: GrantRules;
  readonly now: () => number;
  /** Writes the record. Rejects: it is not on record, and the next use is told instead. */
  readonly record: (caller: Caller, door: string) => Promise<void>;
}

/**
 * Tells which doors powerful keys have used (R11.9): a record for each key, door and hour, written beside the request. What it costs an ordinary key is one
 * look-up in a set.
 */
export class PowerUse {
  readonly #deps: PowerUseDeps;
  #endMs = 0;
  readonly #ordinary = new Set<string>();
  readonly #doors = new Map<string, Set<string>>();

  constructor(deps: PowerUseDeps) {
    this.#deps = deps;
  }

  /** `door` is called for powerful keys only: the route, and the stream or view that it is about. */
  note(caller: Caller, door: () => string): void {
    const { keyId, owner, system, roles } = caller;
    const now = this.#deps.now();
    if (now >= this.#endMs) this.#begin(now);
    if (this.#ordinary.has(keyId)) return;
    let doors = this.#doors.get(keyId);
    if (doors === undefined) {
      if (!isPowerful({ owner, system, roles: [...roles] }, this.#deps.rules)) {
        this.#ordinary.add(keyId);
        return;
      }
      this.#doors.set(keyId, (doors = new Set()));
    }
    const used = door();
    const told = doors.size < MAX_DOORS ? used : OTHERS;
    if (doors.has(used) || doors.has(told)) return;
    doors.add(told);
    this.#deps.record(caller, told).catch(() => doors.delete(told));
  }

  #begin(now: number): void {
    this.#endMs = (Math.floor(now / HOUR_MS) + 1) * HOUR_MS;
    this.#ordinary.clear();
    this.#doors.clear();
  }
}
