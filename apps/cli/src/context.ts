import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLanguage, readTerminal } from '#settings';
import { addressOf } from '#folder';
import { connect, faultOf, shapes, type Connection, type Reply, type Shape } from '#sdk';
import { verbatim, type Language, type Text } from '#faults';
import { Contexts, LOCAL, type NamedHub } from './contexts.js';
import { texts } from './texts.js';
import { Usage } from './usage.js';

/** Renders a text in the language of the terminal. */
export type Say = (text: Text) => string;

export interface Globals {
  readonly url?: string;
  readonly key?: string;
  readonly data?: string;
  readonly lang?: string;
  readonly output?: string;
  /** Name of a hub. */
  readonly ctx?: string;
}

export interface Context {
  readonly say: Say;
  readonly lang: Language;
  readonly hub: Connection;
  readonly url: string;
  readonly key: string;
  readonly format: 'table' | 'json' | 'jsonl';
  /** GET. Rejects with SdkFault for every status of 400 and above, also 404, and for an answer of another shape (`foreign_answer`). */
  get(path: string, shape: Shape): Promise<Reply>;
  /** A change with a JSON body. Rejects like `get`. */
  send(
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    shape: Shape,
    body?: unknown,
    more?: Readonly<Record<string, string>>,
  ): Promise<Reply>;
  /** At most `limit` rows of a paged list, page by page to its end; `field` is the member of the answer that holds the rows, `row` their shape. */
  rows(path: string, field: string, row: Shape, limit: number): Promise<Record<string, unknown>[]>;
}

export const DEFAULT_URL = 'http://127.0.0.1:8080';

type Terminal = ReturnType<typeof readTerminal>;
/** Characters that an HTTP header value can carry; a key has no others. */
const HEADER_SAFE = /^[\x21-\x7e]+$/;

/** The hub that is meant when neither --url nor, without --ctx, SIMPUL_URL says another: by name, --ctx, SIMPUL_CTX, else the one in use. */
function namedHub(
  globals: Globals,
  terminal: Terminal,
): { readonly hub: NamedHub; readonly key: string | undefined } | undefined {
  const asked = globals.ctx ?? (terminal.contextUrl === undefined ? terminal.contextName : undefined);
  if (asked === LOCAL || (asked === undefined && (globals.url ?? terminal.contextUrl) !== undefined)) return undefined;
  const contexts = Contexts.read(terminal.configDir);
  const name = asked ?? contexts.current;
  if (name === undefined) return undefined;
  const hub = contexts.get(name);
  // Its key is for its own address.
  return { hub, key: globals.url === undefined || globals.url === hub.url ? contexts.keyOf(hub) : undefined };
}

/** Which hub, and with which key: flags (--url, --key, --ctx), the environment, the named hub in use, this machine. */
function targetOf(globals: Globals, terminal: Terminal): { readonly url: string; readonly key: string | undefined } {
  const named = namedHub(globals, terminal);
  const isFlag = globals.ctx !== undefined && globals.ctx !== LOCAL;
  const environment = globals.ctx === LOCAL ? undefined : terminal.contextUrl;
  const said = globals.url ?? (isFlag ? named?.hub.url : (environment ?? named?.hub.url));
  const url =
    said ??
    foldersOf(globals, terminal)
      .map(addressOf)
      .find((a) => a !== undefined) ??
    DEFAULT_URL;
  const key = globals.key ?? (isFlag ? (named?.key ?? terminal.contextKey) : (terminal.contextKey ?? named?.key));
  return { url: url.replace(/\/+$/, ''), key: key?.trim() };
}

/** Data folders of hubs on this machine: the one that is named, else those of the current folder. */
function foldersOf({ data }: Globals, { dataDir }: Terminal): readonly string[] {
  const folder = data ?? dataDir;
  return folder ? [folder] : ['.simpul/data', '.simpul/data-kafka'];
}

async function keyOf(
  given: string | undefined,
  globals: Globals,
  terminal: Terminal,
  hub: Connection,
): Promise<string | undefined> {
  if (given) {
    if (HEADER_SAFE.test(given)) return given;
    throw new Usage(texts.key_characters());
  }
  const keys = foldersOf(globals, terminal).flatMap((dir) => {
    try {
      return [readFileSync(join(dir, 'admin.key'), 'utf8').trim()];
    } catch {
      return [];
    }
  });
  if (keys.length < 2) return keys[0];
  // Two deployments (embedded and kafka) were started here: take the key that the hub at this address accepts.
  for (const key of keys) {
    const me = await hub.call('/v1/me', { key, shape: shapes.isMe }).catch(() => undefined);
    if (me?.status === 200) return key;
  }
  return keys[0];
}

/** The language of the output: `--lang`, else the one of the environment. Throws Usage for any other `--lang`. */
export function terminalLanguage(globals: Globals): Language {
  const { lang } = globals;
  if (lang === 'id' || lang === 'en') return lang;
  if (lang !== undefined) throw new Usage(verbatim(`--lang ${lang}: id, en`));
  return readLanguage();
}

/** The format of the output. Throws Usage for any other `-o`. */
export function outputFormat({ output: format = 'table' }: Globals): Context['format'] {
  if (format === 'table' || format === 'json' || format === 'jsonl') return format;
  throw new Usage(verbatim(`-o ${format}: table, json, jsonl`));
}

/**
 * Address: --url, SIMPUL_URL, the named hub in use, the hub that runs in the data folder, else port 8080 of this machine. Key: --key, SIMPUL_KEY, that of the named hub, else the admin key of the data folder
 * (--data, SIMPUL_DATA, else .simpul). `--ctx` names a hub and counts before the environment.
 * Rejects with SdkFault `unauthenticated` when there is no key, unless `keyless`.
 */
export async function openContext(globals: Globals, keyless = false): Promise<Context> {
  const terminal = readTerminal();
  const lang = terminalLanguage(globals);
  const say: Say = (text) => text.in(lang);
  const { url, key: given } = targetOf(globals, terminal);
  const hub = connect({
    url,
    // On stderr: a script reads stdout.
    keyExpires: (at) => process.stderr.write(`! ${say(texts.key_expires({ at: at.toISOString() }))}\n`),
  });
  const key = (await keyOf(given, globals, terminal, hub)) ?? (keyless ? '' : undefined);
  if (key === undefined) throw faultOf(401, { code: 'unauthenticated' });
  const format = outputFormat(globals);
  const headers = { 'accept-language': lang };
  const check = (reply: Reply): Reply => {
    if (reply.status >= 400) throw faultOf(reply.status, reply.body, reply.retryAfterMs);
    return reply;
  };
  const get = async (path: string, shape: Shape): Promise<Reply> =>
    check(await hub.call(path, { key, headers, shape }));
  return {
    say,
    lang,
    hub,
    url,
    key,
    format,
    get,
    async send(method, path, shape, body, more = {}) {
      return check(
        await hub.call(path, {
          method,
          key,
          shape,
          headers: { ...headers, ...more, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      );
    },
    async rows(path, field, row, limit) {
      const out: Record<string, unknown>[] = [];
      const shape = shapes.listOf(field, row);
      let cursor: string | undefined;
      do {
        const step = `${path.includes('?') ? '&' : '?'}limit=${Math.min(500, limit - out.length)}`;
        const { body } = await get(`${path}${step}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, shape);
        const page = body as Record<string, unknown>;
        out.push(...(page[field] as Record<string, unknown>[]));
        // An empty page is not the end: the hub ends a page when it has looked at many entries that it does not show.
        const next = typeof page['next'] === 'string' ? page['next'] : undefined;
        cursor = next === cursor ? undefined : next;
      } while (cursor !== undefined && out.length < limit);
      return out.slice(0, limit);
    },
  };
}
