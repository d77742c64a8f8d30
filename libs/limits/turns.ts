import type { LimitOwner, Reached } from './owner.js';
import { Shares } from './shares.js';
import type { LimitName, LimitValues } from './table.js';
import { TokenBucket } from './token-bucket.js';
import { Working, type Worker } from './working.js';

/** The turn of one piece of long work. */
export interface Turn {
  /** Whether the work has had the event loop for as long as a turn lasts: then it awaits `next()`. */
  readonly isOver: boolean;
  /**
   * Gives the event loop back, and resolves when it is this work's turn again. Call it too after awaiting I/O, before more CPU is used. Rejects with the reason
   * of the signal `gone` of `run`: nobody waits for the work any more.
   */
  next(): Promise<void>;
  /** Counts records or entries that were looked at against the budget of the owner. */
  scanned(what: 'records' | 'entries', amount: number): void;
}

/** A turn that never ends, for work of the hub itself and for tests. */
export const ENDLESS: Turn = { isOver: false, next: () => Promise.resolve(), scanned: () => undefined };

export interface TurnsOptions {
  readonly limits: LimitValues;
  /** Ms that never go back. @default performance.now */
  readonly now?: () => number;
  /** CPU time of this thread, ms. @default process.threadCpuUsage */
  readonly cpuMs?: () => number;
  /** Runs both callbacks in one go, after I/O was served. @default two calls of setImmediate */
  readonly soon?: (first: () => void, second: () => void) => void;
}

/**
 * `list`: counted against the requests of the owner, and paced by its rates. `live`: paced, never refused; live streams are counted as such. `batch`: it
 * only takes turns; what a large publish request may use is bounded by its bytes and events.
 */
export type WorkKind = 'list' | 'live' | 'batch';

/** Requests of one key that are worked on at once. The others of the key wait: each holds memory of its own. */
const AT_ONCE = 4;
/** Bursts of the rates last so long. */
const BURST_S = 20;
const MAX_WAIT_MS = 5_000;
/** Rounds of the event loop between two turns. */
const FREE_ROUNDS = 2;
/** Connections put a turn off for so long at most. */
const MAX_DEFERRED_MS = 100;
/** Short requests put a turn off for so many lengths of the turn before it at most: a third of the event loop is left to long work whatever is published. */
const SHORT_TURNS = 2;
/** Turns that are short follow each other, without a wait for others, up to this part of a whole turn. */
const SHARED_TURN = 0.25;
/** A key whose debt is smaller is not paced: a timer would cost more than it saves. */
const LEAST_WAIT_MS = 20;

/**
 * The queue of long work on the event loop: lists, scans, dry runs, large batches, pages of live readers. Work runs in turns of a few ms; between two
 * turns the event loop serves whatever has arrived, and the next turn goes to the unit that has had the least CPU time, and in it to the key that has (fair
 * queue). So nobody waits for more than one turn of each other unit, however many keys that one has and however many requests it has sent. CPU time is measured
 * and charged to key and unit.
 */
export class Turns {
  readonly #limits: LimitValues;
  readonly #now: () => number;
  readonly #cpuMs: () => number;
  readonly #soon: (first: () => void, second: () => void) => void;
  readonly #working = new Working();
  readonly #requests: Shares;
  readonly #rates: readonly {
    readonly name: 'list_cpu' | 'records_scanned' | 'entries_scanned';
    readonly level: 'key' | 'unit';
    readonly bucket: TokenBucket;
  }[];
  #isScheduled = false;
  #isDeferred = false;
  #readyAt = 0;
  /** Short requests that are worked on. */
  #short = 0;
  /**
   * How long the turns were since others went first, short requests or new connections, ms. Turns that are short count together: a list that awaits something for each of a hundred
   * partitions would wait a hundred times, for as long as two whole turns.
   */
  #hadMs: number;
  /** What of it the turn that comes waits for. */
  #lastMs = 0;
  /** Whether the turn that comes waits for others at all. */
  #isDue = true;
  /** Takes the next turn at once; undefined: no turn waits for short requests. */
  #stopWaiting: (() => void) | undefined;
  /** When the turn that runs began; undefined: none runs. */
  #began: number | undefined;

  constructor({ limits, now = performance.now.bind(performance), cpuMs = threadCpuMs, soon = inOneGo }: TurnsOptions) {
    this.#limits = limits;
    this.#hadMs = limits.turn_ms;
    this.#now = now;
    this.#cpuMs = cpuMs;
    this.#soon = soon;
    const share = (name: 'list_requests' | 'list_requests_per_key' | 'list_requests_per_unit') => ({
      name,
      max: limits[name],
    });
    this.#requests = new Shares({
      all: share('list_requests'),
      key: share('list_requests_per_key'),
      unit: share('list_requests_per_unit'),
      small: 4,
    });
    this.#rates = (['list_cpu', 'records_scanned', 'entries_scanned'] as const).flatMap((name) =>
      (['key', 'unit'] as const).map((level) => {
        const perSecond = limits[`${name}_per_${level}`];
        return { name, level, bucket: new TokenBucket({ perSecond, burst: perSecond * BURST_S, now }) };
      }),
    );
  }

  /** Requests that work or wait. */
  get requests(): Shares {
    return this.#requests;
  }

  /** What the owner that uses the most has used lately of each rate, a second: the average over a burst. At the limit and above, it is paced. */
  usedPerSecond(): readonly (readonly [LimitName, number])[] {
    return this.#rates.map(({ name, level, bucket }) => [`${name}_per_${level}`, bucket.mostTaken / BURST_S] as const);
  }

  /** The rate by which the owner would wait for too long; undefined: none. */
  reachedBy(owner: LimitOwner): Reached | undefined {
    for (const { name, level, bucket } of this.#rates) {
      const id = owner[level];
      if (id === undefined) continue;
      const waitMs = bucket.waitMs(id, 0);
      if (waitMs > MAX_WAIT_MS) return { limit: `${name}_per_${level}`, retryAfterMs: waitMs - MAX_WAIT_MS / 2 };
    }
    return undefined;
  }

  /**
   * Runs long work of an owner in turns. Answers `reached` at once, before anything is done, when the owner has too many requests waiting, or has used so much that
   * it would wait for more than 5 s. Once `gone` has aborted the work gets no further turn, and the promise rejects with the reason of the signal: what has
   * not begun is not done, and keeps nothing in memory.
   */
  async run<T>(
    limitOwner: LimitOwner,
    work: (turn: Turn) => Promise<T>,
    kind: WorkKind = 'list',
    gone?: AbortSignal,
  ): Promise<{ readonly done: T } | { readonly reached: Reached }> {
    const isList = kind === 'list';
    const reached = isList ? (this.reachedBy(limitOwner) ?? this.#requests.take(limitOwner)) : undefined;
    if (reached !== undefined) return { reached };
    const owner = this.#working.of(limitOwner);
    try {
      await placeOf(owner, gone);
      try {
        const isPaced = kind !== 'batch';
        const turn = this.#turnOf(owner, isPaced, gone);
        await turn.next();
        const done = await work(turn);
        // What is made of the result, such as the bytes of the answer, is a turn of its own where the work has used up this one.
        if (this.#isUsedUp()) await this.#next(owner, isPaced);
        return { done };
      } finally {
        // The place goes to the next request of the owner, if there is one.
        const [next] = owner.requests;
        if (next !== undefined) next();
        else owner.working--;
      }
    } finally {
      if (isList) this.#requests.give(limitOwner);
      this.#working.forget(owner);
    }
  }

  #turnOf(owner: Worker, isPaced: boolean, gone: AbortSignal | undefined): Turn {
    const isOver = (): boolean => this.#began === undefined || this.#isUsedUp();
    return {
      get isOver() {
        return isOver();
      },
      next: async () => {
        gone?.throwIfAborted();
        if (isPaced) await this.#pace(owner.limitOwner, gone);
        gone?.throwIfAborted();
        await this.#next(owner, isPaced);
        gone?.throwIfAborted();
      },
      scanned: (what, amount) => this.#charge(`${what}_scanned`, owner.limitOwner, amount),
    };
  }

  /** Whether the turn that runs has lasted as long as a turn lasts. */
  #isUsedUp(): boolean {
    return this.#began !== undefined && this.#now() - this.#began >= this.#limits.turn_ms;
  }

  /** Waits until the rates allow more. */
  async #pace(owner: LimitOwner, gone: AbortSignal | undefined): Promise<void> {
    let waitMs = 0;
    for (const { level, bucket } of this.#rates) {
      const id = owner[level];
      if (id !== undefined) waitMs = Math.max(waitMs, bucket.waitMs(id, 0));
    }
    if (waitMs >= LEAST_WAIT_MS) await pause(Math.min(waitMs, MAX_WAIT_MS), gone);
  }

  #next(owner: Worker, isPaced: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#working.wait(owner, { begin: resolve, isPaced });
      this.#schedule();
    });
  }

  /**
   * Called when a connection was accepted: the event loop accepts one in each of its rounds, so the next turn waits until no more have come. Otherwise a client
   * would wait for as many turns as there are connections before its own.
   */
  defer(): void {
    this.#isDeferred = true;
  }

  /**
   * A short request begins, such as a publish of one event, that the next turn lets go first: for two lengths of a turn at most. Otherwise it would meet a turn
   * each time that it has awaited something. `endShort` must follow. Two calls, because a promise around each publish costs more than what is counted.
   */
  beginShort(): void {
    this.#short++;
  }

  endShort(): void {
    if (--this.#short === 0) this.#stopWaiting?.();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#working.waiting === 0) return;
    this.#isScheduled = true;
    this.#readyAt = this.#now();
    this.#isDue = this.#hadMs >= this.#limits.turn_ms * SHARED_TURN;
    if (this.#isDue) [this.#lastMs, this.#hadMs] = [this.#hadMs, 0];
    this.#wait(FREE_ROUNDS, this.#isDue);
  }

  /** A request needs several rounds of the event loop: some pass without a turn, so that it does not meet one in each. */
  #wait(rounds: number, mayBeForShort = true): void {
    let isTurn = false;
    let isForShort = false;
    let owner: Worker | undefined;
    let isPaced = false;
    let cpuMs = 0;
    // Between the two callbacks the work runs up to where it awaits something.
    this.#soon(
      () => {
        const waitedMs = this.#now() - this.#readyAt;
        isForShort = mayBeForShort && rounds === 0 && this.#short > 0 && waitedMs < this.#forShortMs();
        const isForNew = this.#isDue && this.#isDeferred && waitedMs < MAX_DEFERRED_MS;
        isTurn = rounds === 0 && !isForShort && !isForNew;
        if (!isTurn) return;
        const { worker, turn } = this.#working.next();
        owner = worker;
        ({ isPaced } = turn);
        this.#began = this.#now();
        cpuMs = this.#cpuMs();
        turn.begin();
        this.#working.forget(worker);
      },
      () => {
        this.#isDeferred = false;
        if (!isTurn) {
          if (isForShort) this.#waitForShort();
          else this.#wait(Math.max(0, rounds - 1), mayBeForShort);
          return;
        }
        // Not the time that other processes had meanwhile.
        const tookMs = this.#cpuMs() - cpuMs;
        this.#began = undefined;
        this.#hadMs += tookMs;
        this.#working.charge(owner!, tookMs);
        if (isPaced) this.#charge('list_cpu', owner!.limitOwner, tookMs);
        this.#isScheduled = false;
        this.#schedule();
      },
    );
  }

  /** A turn may be longer than it should: nothing divides the reading of one large event. */
  #forShortMs(): number {
    return SHORT_TURNS * Math.max(this.#lastMs, this.#limits.turn_ms);
  }

  /** Without rounds of the event loop, which would only use CPU. */
  #waitForShort(): void {
    const leftMs = this.#forShortMs() - (this.#now() - this.#readyAt);
    const go = (): void => {
      clearTimeout(timer);
      this.#stopWaiting = undefined;
      this.#wait(0, false);
    };
    const timer = setTimeout(go, Math.max(1, leftMs));
    this.#stopWaiting = go;
  }

  #charge(rate: 'list_cpu' | 'records_scanned' | 'entries_scanned', owner: LimitOwner, cost: number): void {
    for (const { name, level, bucket } of this.#rates) {
      const id = owner[level];
      if (name === rate && id !== undefined) bucket.charge(id, cost);
    }
  }
}

/** A place among the requests of the owner that are worked on. Rejects with the reason of the signal. */
async function placeOf(owner: Worker, gone: AbortSignal | undefined): Promise<void> {
  gone?.throwIfAborted();
  if (owner.working < AT_ONCE) {
    owner.working++;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => {
      owner.requests.delete(begin);
      reject(gone!.reason as Error);
    };
    const begin = (): void => {
      owner.requests.delete(begin);
      gone?.removeEventListener('abort', leave);
      resolve();
    };
    owner.requests.add(begin);
    gone?.addEventListener('abort', leave, { once: true });
  });
}

/** Also over once the signal aborts. */
function pause(ms: number, over: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      over?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    over?.addEventListener('abort', end, { once: true });
  });
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

function inOneGo(first: () => void, second: () => void): void {
  // Callbacks of the same phase run one behind the other, each with the promises that it resolves; what was awaited runs in between.
  setImmediate(first);
  setImmediate(second);
}
