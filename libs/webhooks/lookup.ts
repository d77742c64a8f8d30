import { lookup as systemLookup } from 'node:dns/promises';

/** Every address of a host name, as text. Rejects with a code of DNS when there is none. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** As the operating system resolves names, with its hosts file. */
export const osLookup: Lookup = async (hostname) =>
  (await systemLookup(hostname, { all: true, verbatim: true })).map(({ address }) => address);

/**
 * Look-ups of the operating system block threads of which the process has four, for its files too. So only two run at a time, and those for one name that wait
 * or run together are one. Nothing is kept: each later connection looks up again.
 */
export function bounded(lookup: Lookup, most = 2): Lookup {
  const pending = new Map<string, Promise<readonly string[]>>();
  const waiting: (() => void)[] = [];
  let running = 0;
  const run = async (hostname: string): Promise<readonly string[]> => {
    if (running >= most) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      return await lookup(hostname);
    } finally {
      pending.delete(hostname);
      const next = waiting.shift();
      // The place goes to the next one.
      if (next === undefined) running -= 1;
      else next();
    }
  };
  return (hostname) => {
    let asked = pending.get(hostname);
    if (asked === undefined) pending.set(hostname, (asked = run(hostname)));
    return asked;
  };
}
