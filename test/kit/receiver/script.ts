/** What a receiver does with one request. Without anything: 204 at once. */
export interface Answer {
  /** @default 204 */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Before anything is answered. */
  readonly delayMs?: number;
  /** Seconds, or a date: the header Retry-After. */
  readonly retryAfter?: number | string;
  /** 302 to this address, when no status is given. */
  readonly redirect?: string;
  /** Cuts the connection (RST): `request` before the answer, `body` in the middle of it ("lying 200 then reset"). */
  readonly reset?: 'request' | 'body';
  /** One byte of the body each so many milliseconds, for ever. */
  readonly trickleMs?: number;
  /** A body of so many bytes, as fast as they are taken. */
  readonly hugeBytes?: number;
  /** Never answers. */
  readonly hang?: boolean;
}

/** When an answer is given. Of several rules that hold, the first counts. */
export interface Rule {
  /** Only requests with an event of this subject, source or type. */
  readonly subject?: string;
  readonly source?: string;
  readonly type?: string;
  readonly path?: string;
  /** Only these tries (`simpul-try`). */
  readonly tries?: readonly number[];
  /** Only from and up to this time, milliseconds since the rules were set. */
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** Passes over the first so many requests that fit. */
  readonly skip?: number;
  /** Holds for so many requests, then no longer. */
  readonly times?: number;
  /** Holds with this probability, by a random number of the receiver's seed. */
  readonly chance?: number;
  readonly answer: Answer;
}

/** One event that came in. */
export interface ReceivedEvent {
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly subject: string | undefined;
  readonly position: string | undefined;
}

/** One request that came in, whole. */
export interface Received {
  /** From 0, in the order in which the bodies had arrived. */
  readonly n: number;
  /** Milliseconds since 1970: when it had arrived. */
  readonly at: number;
  readonly path: string;
  /** `webhook-id`. */
  readonly id: string;
  readonly try: number;
  readonly subscription: string | undefined;
  /** Whether the signature fits; undefined: the receiver has no keys. */
  readonly verified: boolean | undefined;
  readonly events: readonly ReceivedEvent[];
  /** What the receiver answers: a status, `reset`, or `hang` when it never ends. */
  readonly answer: number | 'reset' | 'hang';
}

interface Used {
  readonly rule: Rule;
  fits: number;
}

/** Rules and how often each was used. */
export class Script {
  readonly #random: () => number;
  #since = Date.now();
  #rules: Used[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  set(rules: readonly Rule[]): void {
    this.#since = Date.now();
    this.#rules = rules.map((rule) => ({ rule, fits: 0 }));
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  answerTo(request: Pick<Received, 'path' | 'try' | 'events'>): Answer {
    const ms = Date.now() - this.#since;
    for (const used of this.#rules) {
      const { rule } = used;
      if (ms < (rule.fromMs ?? 0) || ms >= (rule.untilMs ?? Infinity)) continue;
      if (!fits(rule, request)) continue;
      if (rule.chance !== undefined && this.#random() >= rule.chance) continue;
      const turn = used.fits++;
      if (turn < (rule.skip ?? 0) || turn >= (rule.skip ?? 0) + (rule.times ?? Infinity)) continue;
      return rule.answer;
    }
    return {};
  }
}

function fits(rule: Rule, { path, try: n, events }: Pick<Received, 'path' | 'try' | 'events'>): boolean {
  if (rule.path !== undefined && rule.path !== path) return false;
  if (rule.tries?.includes(n) === false) return false;
  if (rule.subject === undefined && rule.source === undefined && rule.type === undefined) return true;
  return events.some(
    (e) =>
      (rule.subject === undefined || rule.subject === e.subject) &&
      (rule.source === undefined || rule.source === e.source) &&
      (rule.type === undefined || rule.type === e.type),
  );
}
