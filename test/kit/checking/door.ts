/** What the checker reads of an event. */
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

/** The doors of the hub as the checker uses them: plain fetch, patient with a hub that says 503. */
export class Door {
  readonly #url: string;
  readonly #key: string;
  readonly #patienceMs: number;

  constructor(url: string, key: string, patienceMs = 60_000) {
    this.#url = url.replace(/\/+$/, '');
    this.#key = key;
    this.#patienceMs = patienceMs;
  }

  async get(path: string): Promise<Record<string, unknown>> {
    const until = Date.now() + this.#patienceMs;
    for (;;) {
      let said: string;
      try {
        const res = await fetch(this.#url + path, { headers: { authorization: `Bearer ${this.#key}` } });
        const text = await res.text();
        if (res.ok) return JSON.parse(text) as Record<string, unknown>;
        said = `${res.status} ${text.slice(0, 300)}`;
        if (res.status < 500 && res.status !== 429) throw new Refused(`GET ${path}: ${said}`);
      } catch (e) {
        if (e instanceof Refused) throw e;
        said = String(e);
      }
      if (Date.now() > until) throw new Refused(`GET ${path}: ${said}`);
      await new Promise((r) => setTimeout(r, 200));
    }
  }

  async streams(): Promise<string[]> {
    const out: string[] = [];
    for (const s of (await this.get('/v1/streams'))['streams'] as { name: string }[]) out.push(s.name);
    return out;
  }

  /** All events of a stream, page by page, to the end. */
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

  async *state(view: string): AsyncGenerator<SeenEntry> {
    for await (const e of this.#list(`/v1/state/${encodeURIComponent(view)}`, 'entries')) yield e as SeenEntry;
  }

  async *#list(path: string, field: string): AsyncGenerator {
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
