import { INDEX_RETENTION_MS, type First, type FirstReplacement } from '#state';
import type { Client } from './client.js';
import { packFirst, indexKeyOf, isRow, unpackFirst } from './rows.js';
import { PUT_FIRST, REPLACE_FIRST } from './index-scripts.js';

interface SourceId {
  readonly source: string;
  readonly id: string;
}

/** Keys per command, so that one command does not block the server for long. */
const KEYS_PER_COMMAND = 500;

/** The duplicate index: one short string per (source, id), with an expiry of eight days (PX) in Redis. */
export class FirstIndex {
  readonly #client: Client;
  readonly #prefix: string;
  /** By hash tag (one tag in all on one server): the number of evicted keys that its server said last. */
  readonly #evicted = new Map<number, string>();

  constructor(client: Client, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async putFirst(ids: readonly First[]): Promise<readonly First[]> {
    const held = await this.#each(ids, (keys, first, tag) => this.#put(keys, first, tag));
    const put = new Map<string, First>();
    return ids.map((own, i) => {
      const text = held[i];
      if (text) return unpackFirst(own.source, own.id, text);
      const key = `${own.source.length}:${own.source}${own.id}`;
      const first = put.get(key) ?? own;
      put.set(key, first);
      return first;
    });
  }

  async replaceFirst(rows: readonly FirstReplacement[]): Promise<readonly First[]> {
    const asked = rows.map((row) => ({ ...row, source: row.by.source, id: row.by.id }));
    const held = await this.#each(asked, (keys, some) => {
      const texts = some.flatMap(({ stale, by }) => [packFirst(stale), packFirst(by)]);
      return this.#client.run(REPLACE_FIRST, keys, [INDEX_RETENTION_MS, ...texts]) as Promise<(string | null)[]>;
    });
    return rows.map(({ by }, i) => (held[i] ? unpackFirst(by.source, by.id, held[i]) : by));
  }

  async findFirst(ids: readonly SourceId[]): Promise<readonly (First | undefined)[]> {
    const texts = await this.#each(ids, (keys) => this.#client.mget(keys));
    return ids.map(({ source, id }, i) => (isRow(texts[i]) ? unpackFirst(source, id, texts[i]) : undefined));
  }

  /** An evicted row is no absent row: when this server has evicted keys since the last call, connection() has grown before the answer is given (R2.2). */
  async #put(keys: readonly string[], first: readonly First[], tag: number): Promise<(string | null)[]> {
    const rows = [INDEX_RETENTION_MS, ...first.map(packFirst)];
    const answer = (await this.#client.run(PUT_FIRST, keys, rows)) as (string | null)[];
    const [evicted, lost] = answer.splice(first.length).map((text) => text ?? '');
    if (lost !== '0') this.#client.lostRows(Number(lost));
    if (this.#evicted.get(tag) !== evicted) await this.#client.lookAgain();
    this.#evicted.set(tag, evicted ?? '');
    return answer;
  }

  /** Sends one command per hash slot in a cluster, and as few commands as possible to one server. Answers in the order of `ids`. */
  async #each<T extends SourceId>(
    ids: readonly T[],
    ask: (keys: string[], ids: T[], tag: number) => Promise<(string | null)[]>,
  ): Promise<(string | null)[]> {
    const groups = new Map<number, number[]>();
    const keysOf = ids.map(({ source, id }) => indexKeyOf(source, id));
    keysOf.forEach(({ tag }, i) => {
      const group = this.#client.clustered ? tag : 0;
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [i]);
      else members.push(i);
    });
    const answers = Array.from<string | null>({ length: ids.length });
    const commands: Promise<void>[] = [];
    for (const [tag, members] of groups) {
      for (let from = 0; from < members.length; from += KEYS_PER_COMMAND) {
        const some = members.slice(from, from + KEYS_PER_COMMAND);
        const keys = some.map((i) => `${this.#prefix}{i:${keysOf[i]!.tag}}:${keysOf[i]!.key}`);
        const answer = ask(
          keys,
          some.map((i) => ids[i]!),
          tag,
        );
        commands.push(answer.then((texts) => some.forEach((i, n) => (answers[i] = texts[n] ?? null))));
      }
    }
    await Promise.all(commands);
    return answers;
  }
}
