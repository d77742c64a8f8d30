import { pause } from '#concurrency';

/** How long a request is made again while the hub is away: it may be killed in the middle of the day. */
const PATIENCE_MS = 60_000;

export interface DoorAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Filters of a subscription as the day uses them: fields of the data that must have a value. */
export interface ExactFilter {
  readonly exact: Readonly<Record<string, string>>;
}

/** What an office asks the hub for. */
export interface Wanted {
  readonly name: string;
  readonly types: readonly string[];
  readonly filters: readonly ExactFilter[];
  /** RFC 3339: the first event is the first one that the hub recorded then or later. */
  readonly start: string;
  readonly url: string;
}

/** How far a subscription is. */
export interface Standing {
  readonly lag: { readonly events: number };
  readonly inFlight: number;
  readonly held: number;
}

/** An event that stands in the way of its subject. */
export interface Stopped {
  readonly subject: string;
  readonly position: string;
  readonly held: number;
}

/** The doors of subscriptions with the key of one unit. They are plain HTTP, as any unit system without our SDK would use them. */
export class SubscriptionDoor {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = `${url.replace(/\/+$/, '')}/v1/subscriptions`;
    this.#key = key;
  }

  /** Makes a subscription; one of the same name, from an earlier day, goes first. Throws when the hub refuses it. */
  async create({ url, ...spec }: Wanted): Promise<{ readonly id: string; readonly secret: string }> {
    for (;;) {
      const made = await this.#ask('POST', '', { ...spec, target: { kind: 'webhook', url } });
      if (made.status === 201) return { id: String(made.body['id']), secret: String(made.body['secret']) };
      // The answer to the first try may have been lost: then this name is ours, but its secret is not known.
      if (made.status !== 409) throw new Error(`${spec.name}: ${made.status} ${JSON.stringify(made.body)}`);
      await this.remove(spec.name);
    }
  }

  async remove(name: string): Promise<void> {
    const { subscriptions } = await this.#must('GET', `?name=${name}`);
    for (const { id } of subscriptions as readonly { readonly id: string }[]) await this.#ask('DELETE', `/${id}`);
  }

  async standing(id: string): Promise<Standing> {
    return (await this.#must('GET', `/${id}`)) as unknown as Standing;
  }

  /** Parked events and dead letters. */
  async stopped(id: string): Promise<readonly Stopped[]> {
    const parked = await this.#must('GET', `/${id}/parked?limit=1000`);
    const dead = await this.#must('GET', `/${id}/dead-letters?limit=1000`);
    return [...(parked['parked'] as Stopped[]), ...(dead['deadLetters'] as Stopped[])];
  }

  /** Delivers what is parked or dead again. Resolves with the number of events that begin. */
  async redrive(id: string, why: string): Promise<number> {
    return Number((await this.#must('POST', `/${id}/redrive`, { all: true, why }))['count']);
  }

  async #must(method: string, path: string, body?: unknown): Promise<DoorAnswer['body']> {
    const answer = await this.#ask(method, path, body);
    if (answer.status < 400) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async #ask(method: string, path: string, body?: unknown): Promise<DoorAnswer> {
    for (const end = Date.now() + PATIENCE_MS; ; await pause(200)) {
      let failed: unknown;
      try {
        const answer = await fetch(this.#url + path, {
          method,
          headers: {
            authorization: `Bearer ${this.#key}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await answer.text();
        if (answer.status < 500 && answer.status !== 429)
          return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as DoorAnswer['body']) };
        failed = `${answer.status} ${text}`;
      } catch (cause) {
        failed = cause;
      }
      if (Date.now() > end) throw new Error(`${method} ${path}: no answer of the hub`, { cause: failed });
    }
  }
}
