import { setTimeout as pause } from 'node:timers/promises';

/** The members of an event that the checker reads. */
export interface SeenEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly recordedtime: string;
  readonly digest?: string;
  readonly position: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly data_base64?: string;
  readonly [extension: string]: unknown;
}

export interface SeenEntry {
  readonly key: string;
  readonly value: unknown;
}

/** The HTTP API of the hub as the checker uses it: plain fetch, with retries after 429, 5xx and lost connections. */
export class HubClient {
  readonly #url: string;
  readonly #key: string;
  readonly #retryForMs: number;

  constructor(url: string, key: string, retryForMs = 60_000) {
    this.#url = url.replace(/\/+$/, '');
    this.#key = key;
    this.#retryForMs = retryForMs;
  }

  /** GET as JSON. Throws Refused for a 4xx, and when there is no answer within the time for retries. */
  async get(path: string): Promise<Record<string, unknown>> {
    const until = Date.now() + this.#retryForMs;
    for (;;) {
      let failure: string;
      try {
        const res = await fetch(this.#url + path, { headers: { authorization: `Bearer ${this.#key}` } });
        const text = await res.text();
        if (res.ok) return JSON.parse(text) as Record<string, unknown>;
        failure = `${res.status} ${text.slice(0, 300)}`;
        if (res.status < 500 && res.status !== 429) throw new Refused(`GET ${path}: ${failure}`);
      } catch (e) {
        if (e instanceof Refused) throw e;
        failure = String(e);
      }
      if (Date.now() > until) throw new Refused(`GET ${path}: ${failure}`);
      await pause(200);
    }
  }

  async streams(): Promise<string[]> {
    const out: string[] = [];
    for (const s of (await this.get('/v1/streams'))['streams'] as { name: string }[]) out.push(s.name);
    return out;
  }

  /** All events of a stream to its end, page by page. */
  async *events(stream: string, query: string): AsyncGenerator<SeenEvent> {
    let cursor: string | undefined;
    for (;;) {
      const at = cursor === undefined ? '&from=earliest' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.get(`/v1/streams/${encodeURIComponent(stream)}/events?limit=1000${query}${at}`);
      const events = page['events'] as SeenEvent[];
      yield* events;
      cursor = page['next'] as string;
      if (events.length === 0 && page['incomplete'] !== true) return;
    }
  }

  /** All entries of a view. */
  async *state(view: string): AsyncGenerator<SeenEntry> {
    for await (const e of this.list(`/v1/state/${encodeURIComponent(view)}`, 'entries')) yield e as SeenEntry;
  }

  /** All rows of a list, page by page. */
  async *list(path: string, field: string): AsyncGenerator {
    let cursor: string | undefined;
    do {
      const q = cursor === undefined ? '?limit=500' : `?limit=500&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.get(path + q);
      const rows = page[field] as unknown[];
      yield* rows;
      cursor = rows.length > 0 && typeof page['next'] === 'string' ? page['next'] : undefined;
    } while (cursor !== undefined);
  }
}

export class Refused extends Error {}
