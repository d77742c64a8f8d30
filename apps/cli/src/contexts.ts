import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Usage } from './usage.js';
import { texts } from './texts.js';

/** A hub under a name. */
export interface NamedHub {
  readonly url: string;
  /** File that holds the key, mode 0600. Absent: the admin key of the data folder, as without a name. */
  readonly keyFile?: string;
}

interface Stored {
  readonly current?: string;
  /** The name before, for `use -`. */
  readonly previous?: string;
  readonly hubs: Readonly<Record<string, NamedHub>>;
}

/** No name at all: the hub of this machine. */
export const LOCAL = 'local';
const NAME = /^[a-z0-9][a-z0-9._-]{0,39}$/i;

/** The named hubs of a user: `contexts.json` and `keys/<name>.key` in the folder of the user's settings, readable for nobody else. */
export class Contexts {
  readonly #dir: string;
  readonly #stored: Stored;

  private constructor(dir: string, stored: Stored) {
    this.#dir = dir;
    this.#stored = stored;
  }

  /** Throws Usage when the file is there and cannot be read. */
  static read(dir: string): Contexts {
    const file = join(dir, 'contexts.json');
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'ENOENT') return new Contexts(dir, { hubs: {} });
      throw new Usage(texts.contexts_unreadable({ file, why: (e as NodeJS.ErrnoException).code ?? 'error' }));
    }
    try {
      const stored = JSON.parse(text) as Partial<Stored>;
      if (typeof stored.hubs === 'object' && stored.hubs !== null) return new Contexts(dir, stored as Stored);
    } catch {
      // Not JSON: said below.
    }
    throw new Usage(texts.contexts_unreadable({ file, why: 'JSON' }));
  }

  get names(): readonly string[] {
    return Object.keys(this.#stored.hubs).sort();
  }

  get current(): string | undefined {
    return this.#stored.current;
  }

  /** Throws Usage for a name that is not there. */
  get(name: string): NamedHub {
    const hub = Object.hasOwn(this.#stored.hubs, name) ? this.#stored.hubs[name] : undefined;
    if (hub === undefined) {
      const known = [LOCAL, ...this.names].join(', ');
      throw new Usage(texts.no_such_context({ name, known }));
    }
    return hub;
  }

  /** The key of a named hub; undefined: it has none. Throws Usage when its file cannot be read. */
  keyOf({ keyFile }: NamedHub): string | undefined {
    if (keyFile === undefined) return undefined;
    try {
      return readFileSync(keyFile, 'utf8').trim();
    } catch (e) {
      throw new Usage(texts.key_file_unreadable({ file: keyFile, why: (e as NodeJS.ErrnoException).code ?? 'error' }));
    }
  }

  /** `key` is stored in a file of its own; `keyFile` is the file of somebody else, which is only named. */
  add(
    name: string,
    url: string,
    { key, keyFile }: { readonly key?: string | undefined; readonly keyFile?: string | undefined },
  ): void {
    if (!NAME.test(name) || name === LOCAL) throw new Usage(texts.context_name({ name }));
    const file = key === undefined ? keyFile : this.#writeKey(name, key);
    this.#write({
      ...this.#stored,
      hubs: { ...this.#stored.hubs, [name]: { url, ...(file === undefined ? {} : { keyFile: file }) } },
    });
  }

  /** `local`: no name; `-`: the name before. Answers the name that is used now. */
  use(name: string): string {
    const { current = LOCAL, previous = LOCAL, hubs } = this.#stored;
    const next = name === '-' ? previous : name;
    if (next !== LOCAL) this.get(next);
    this.#write({
      ...(next === LOCAL ? {} : { current: next }),
      ...(current === LOCAL ? {} : { previous: current }),
      hubs,
    });
    return next;
  }

  remove(name: string): void {
    this.get(name);
    const { [name]: _gone, ...hubs } = this.#stored.hubs;
    const { current, previous } = this.#stored;
    this.#write({
      ...(current === undefined || current === name ? {} : { current }),
      ...(previous === undefined || previous === name ? {} : { previous }),
      hubs,
    });
    rmSync(this.#keyPath(name), { force: true });
  }

  #keyPath(name: string): string {
    return join(this.#dir, 'keys', `${name}.key`);
  }

  #writeKey(name: string, key: string): string {
    const file = this.#keyPath(name);
    writePrivate(file, `${key}\n`);
    return file;
  }

  #write(stored: Stored): void {
    writePrivate(join(this.#dir, 'contexts.json'), `${JSON.stringify(stored, null, 2)}\n`);
  }
}

/** Writes a file that only this user can read, whole or not at all. Throws Usage when it cannot be written. */
export function writePrivate(file: string, text: string): void {
  const dir = join(file, '..');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const next = `${file}.${process.pid}`;
    writeFileSync(next, text, { mode: 0o600 });
    // The mode of a file that was there is kept by the write.
    chmodSync(next, 0o600);
    renameSync(next, file);
  } catch (e) {
    throw new Usage(texts.file_unwritable({ file, why: (e as NodeJS.ErrnoException).code ?? 'error' }));
  }
}

/** What of a key may be shown: its last four characters. */
export const shownKey = (key: string): string => `…${key.slice(-4)}`;
