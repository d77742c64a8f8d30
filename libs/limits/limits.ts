import type { Fault, FaultCode } from '#faults';
import { limitFault, type LimitOwner, type OwnerLevel, type Reached } from './owner.js';
import { Rates } from './rates.js';
import { Shares } from './shares.js';
import { DEFAULT_LIMITS, LIMITS, type LimitName, type LimitValues } from './table.js';
import { Turns, type Turn, type WorkKind } from './turns.js';

export interface LimitsOptions {
  /** @default the defaults of the table */
  readonly values?: Partial<LimitValues>;
  /** Ms that never go back. @default performance.now */
  readonly now?: () => number;
  /** Called for each request, connection or answer that was refused or cut. */
  readonly refused?: (limit: LimitName) => void;
}

/** Long work of one owner: runs in turns. Faults too_many_requests, queue_full, before anything is done. */
export interface LongWork {
  run<T>(work: (turn: Turn) => Promise<T>): Promise<T>;
}

/** The budgets of a process: the numbers of the table, and who uses how much of each. */
export class Limits {
  readonly values: LimitValues;
  /** Connections that have shown a valid key, by key and unit; `all`: every connection. */
  readonly connections: Shares;
  /** Connections that have shown no valid key yet, by address. */
  readonly newConnections: Shares;
  /** Requests that wait to be begun, because others came with them; see the entrance of the HTTP edge. */
  readonly queued: Shares;
  /** Bytes of publish bodies from their arrival until the answer. */
  readonly receiving: Shares;
  /** Events whose outcome is open. */
  readonly pending: Shares;
  /** Live streams and waiting requests. */
  readonly live: Shares;
  /** Bytes of answers that their readers have not taken. */
  readonly unread: Shares;
  /** Answers 404 at the doors of one thing. */
  readonly misses: Rates;
  /** Look-ups by clear subject. */
  readonly lookups: Rates;
  /** API keys that admins of units and parties make. */
  readonly grants: Rates;
  readonly turns: Turns;
  readonly #refused: ((limit: LimitName) => void) | undefined;

  constructor({ values, now, refused }: LimitsOptions = {}) {
    this.values = { ...DEFAULT_LIMITS, ...values };
    this.#refused = refused;
    const limit = (name: LimitName) => ({ name, max: this.values[name] });
    // Of all together they are bounded where they are opened: a connection is counted before its key is known.
    this.connections = new Shares({
      key: limit('connections_per_key'),
      unit: limit('connections_per_unit'),
    });
    this.newConnections = new Shares({ address: limit('new_connections_per_address') });
    this.queued = new Shares({
      all: limit('queued_requests'),
      key: limit('queued_requests_per_key'),
      unit: limit('queued_requests_per_unit'),
      address: limit('queued_requests_per_address'),
      small: 16,
    });
    this.receiving = new Shares({
      all: limit('receiving_bytes'),
      key: limit('receiving_bytes_per_key'),
      unit: limit('receiving_bytes_per_unit'),
      small: Math.min(1_048_576, this.values.receiving_bytes / 100),
    });
    this.pending = new Shares({
      all: limit('pending_events'),
      key: limit('pending_events_per_key'),
      unit: limit('pending_events_per_unit'),
      small: this.values.pending_events / 100,
    });
    this.live = new Shares({
      all: limit('live_streams'),
      key: limit('live_streams_per_key'),
      unit: limit('live_streams_per_unit'),
      address: limit('live_streams_per_address'),
      small: this.values.live_streams / 100,
      retryAfterMs: 5_000,
    });
    this.unread = new Shares({
      all: limit('unread_bytes'),
      key: limit('unread_bytes_per_key'),
      unit: limit('unread_bytes_per_unit'),
      address: limit('unread_bytes_per_address'),
      retryAfterMs: 5_000,
    });
    const clock = now ?? (() => performance.now());
    this.misses = new Rates({ limits: this.values, name: 'misses', burstS: 50, now: clock });
    this.lookups = new Rates({ limits: this.values, name: 'lookups', burstS: 100, now: clock });
    this.grants = new Rates({ limits: this.values, name: 'grants', burstS: 100_000, now: clock });
    this.turns = new Turns({ limits: this.values, ...(now === undefined ? {} : { now }) });
  }

  /** Throws the fault of a limit that was reached, and counts it. */
  check(reached: Reached | undefined): void {
    if (reached !== undefined) throw this.faultOf(reached);
  }

  /** The fault of a limit that was reached. Counts it. `code`: another one than limitFault would give it. */
  faultOf(reached: Reached, code?: FaultCode): Fault {
    this.count(reached.limit);
    return limitFault(reached, this.values[reached.limit], code);
  }

  /** Counts a refusal or a cut for the metrics. */
  count(limit: LimitName): void {
    this.#refused?.(limit);
  }

  /** Long work of this owner. `gone` aborts when nobody waits for it any more; see Turns.run. */
  workOf(owner: LimitOwner, kind: WorkKind = 'list', gone?: AbortSignal): LongWork {
    return {
      run: async (work) => {
        const result = await this.turns.run(owner, work, kind, gone);
        if ('reached' in result) this.check(result.reached);
        return (result as { readonly done: Awaited<ReturnType<typeof work>> }).done;
      },
    };
  }

  /** How much of each limit is used now: by everybody, or by the key, unit or address that uses the most. Limits of one connection or event and durations are not among them. */
  use(): ReadonlyMap<LimitName, number> {
    const used = new Map<LimitName, number>();
    const shares: readonly [LimitName, Shares][] = [
      ['connections', this.connections],
      ['queued_requests', this.queued],
      ['receiving_bytes', this.receiving],
      ['pending_events', this.pending],
      ['live_streams', this.live],
      ['unread_bytes', this.unread],
      ['list_requests', this.turns.requests],
    ];
    for (const [name, of] of shares) {
      used.set(name, of.held);
      for (const level of ['key', 'unit', 'address'] as const) {
        const perOwner = nameOf(name, level);
        if (perOwner !== undefined) used.set(perOwner, of.greatest(level)?.held ?? 0);
      }
    }
    used.set('new_connections_per_address', this.newConnections.greatest('address')?.held ?? 0);
    for (const rates of [this.turns, this.misses, this.lookups, this.grants])
      for (const [name, perSecond] of rates.usedPerSecond()) used.set(name, perSecond);
    return used;
  }
}

function nameOf(name: LimitName, level: OwnerLevel): LimitName | undefined {
  const perOwner = `${name}_per_${level}`;
  return Object.hasOwn(LIMITS, perOwner) ? (perOwner as LimitName) : undefined;
}
