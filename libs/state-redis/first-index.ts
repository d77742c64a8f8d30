import { INDEX_RETENTION_MS, type First } from '#state';
import type { Client } from './client.js';
import { packFirst, placeOf, unpackFirst } from './rows.js';
import { FIRST } from './scripts.js';

interface SourceId {
  readonly source: string;
  readonly id: string;
}

const AT_ONCE = 500;

/** The duplicate index: one short string per (source, id), which Redis itself forgets after eight days. */
export class FirstIndex {
  readonly #client: Client;
  readonly #prefix: string;

  constructor(client: Client, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async putFirst(ids: readonly First[]): Promise<readonly First[]> {
    const stands = await this.#each(
      ids,
      (keys, first) =>
        this.#client.run(FIRST, keys, [INDEX_RETENTION_MS, ...first.map(packFirst)]) as Promise<(string | null)[]>,
    );
    const put = new Map<string, First>();
    return ids.map((asked, i) => {
      const text = stands[i];
      if (text) return unpackFirst(asked.source, asked.id, text);
      const key = `${asked.source.length}:${asked.source}${asked.id}`;
      const before = put.get(key) ?? asked;
      put.set(key, before);
      return before;
    });
  }

  async findFirst(ids: readonly SourceId[]): Promise<readonly (First | undefined)[]> {
    const texts = await this.#each(ids, (keys) => this.#client.mget(keys));
    return ids.map(({ source, id }, i) => (texts[i] ? unpackFirst(source, id, texts[i]) : undefined));
  }

  /** Asks by hash slot in a cluster, in large pieces elsewhere; answers in the order of `ids`. */
  async #each<T extends SourceId>(
    ids: readonly T[],
    ask: (keys: string[], ids: T[]) => Promise<(string | null)[]>,
  ): Promise<(string | null)[]> {
    const groups = new Map<number, number[]>();
    const places = ids.map(({ source, id }) => placeOf(source, id));
    places.forEach(({ tag }, i) => {
      const group = this.#client.clustered ? tag : 0;
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [i]);
      else members.push(i);
    });
    const answers = Array.from<string | null>({ length: ids.length });
    const asked: Promise<void>[] = [];
    for (const members of groups.values()) {
      for (let from = 0; from < members.length; from += AT_ONCE) {
        const some = members.slice(from, from + AT_ONCE);
        const keys = some.map((i) => `${this.#prefix}{i:${places[i]!.tag}}:${places[i]!.key}`);
        const answer = ask(
          keys,
          some.map((i) => ids[i]!),
        );
        asked.push(answer.then((texts) => some.forEach((i, n) => (answers[i] = texts[n] ?? null))));
      }
    }
    await Promise.all(asked);
    return answers;
  }
}
