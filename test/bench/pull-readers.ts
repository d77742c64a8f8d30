import { Agent, request } from 'undici';
import { subscribe } from '#sdk';
import { CASE_TYPE } from './case-event.js';

/** A hub and a key that may read. */
export interface ReaderPlace {
  readonly url: string;
  readonly key: string;
}

/** How a reader catches up with the subscription of this name, which it makes: resolves when it has committed so many different events. */
export type CatchUp = (at: ReaderPlace, name: string, wanted: number) => Promise<void>;

const LEASE = 1_000;
const LEASES = 2;
const WAIT_S = 2;

interface Leased {
  readonly events: readonly { readonly id: string; readonly position: string }[];
  readonly lease: { readonly token: string } | null;
}

/** Counts each event once. */
class Seen {
  readonly #seen = new Set<string>();

  add(position: string): void {
    if (this.#seen.has(position)) throw new Error(`${position} came twice`);
    this.#seen.add(position);
  }

  get size(): number {
    return this.#seen.size;
  }
}

/** Pull and commit by hand, with two leases open: while one is committed the next one is pulled. */
export const byHand: CatchUp = async ({ url, key }, name, wanted) => {
  const agent = new Agent({ connections: LEASES, pipelining: 1 });
  const ask = async (path: string, body?: object): Promise<string> => {
    const answer = await request(url + path, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${text}`);
    return text;
  };
  const made = await ask('/v1/subscriptions', {
    name,
    types: [CASE_TYPE],
    start: 'earliest',
    target: { kind: 'pull' },
  });
  const { id } = JSON.parse(made) as { id: string };
  const seen = new Seen();
  const worker = async (): Promise<void> => {
    while (seen.size < wanted) {
      const text = await ask(`/v1/subscriptions/${id}/pull?limit=${LEASE}&wait=${WAIT_S}`);
      const { events, lease } = JSON.parse(text) as Leased;
      if (lease === null) continue;
      const last = new Map<string, string>();
      for (const { position } of events) {
        seen.add(position);
        last.set(position.slice(0, position.lastIndexOf('/')), position);
      }
      await ask(`/v1/subscriptions/${id}/commit`, { token: lease.token, through: [...last.values()] });
    }
  };
  await Promise.all(Array.from({ length: LEASES }, worker));
  await agent.close();
};

/** `subscribe()` of the SDK, with a handler that does nothing. */
export const bySdk: CatchUp = async ({ url, key }, name, wanted) => {
  const seen = new Seen();
  const all = Promise.withResolvers<void>();
  let committed = 0;
  const running = await subscribe({
    url,
    key,
    name,
    types: [CASE_TYPE],
    start: 'earliest',
    handler: (_event, { position }) => seen.add(position),
    report: {
      committed: (events) => {
        committed += events;
        if (committed >= wanted) all.resolve();
      },
    },
  });
  await Promise.race([all.promise, running.done]);
  await running.close();
};
