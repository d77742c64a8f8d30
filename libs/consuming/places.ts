import { open, readFile, rename, rm } from 'node:fs/promises';
import { Mutex } from '#concurrency';
import { ConsumerFault, reasonOf } from './fault.js';

/** Where a source over HTTP keeps the place of each feed: a text of its own. One group has one store, and one process at a time. */
export interface Places {
  load(feed: string): string | undefined | Promise<string | undefined>;
  /** Resolves when the place is durable. */
  save(feed: string, place: string): void | Promise<void>;
}

/**
 * Places in one JSON file, which is replaced in one step (written, synced, renamed). A file that is not readable as such rejects with `places_unreadable`: to begin
 * again in silence would repeat everything.
 */
export function filePlaces(file: string): Places {
  let places: Record<string, string> | undefined;
  const writing = new Mutex();
  const loaded = async (): Promise<Record<string, string>> => {
    if (places !== undefined) return places;
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return (places = {});
      throw unreadable(file, reasonOf(cause));
    }
    try {
      return (places = checked(JSON.parse(text)));
    } catch (cause) {
      throw unreadable(file, reasonOf(cause));
    }
  };
  return {
    load: (feed) => writing.run(async () => (await loaded())[feed]),
    save: (feed, place) =>
      writing.run(async () => {
        const next = { ...(await loaded()), [feed]: place };
        const fresh = `${file}.new`;
        const handle = await open(fresh, 'w');
        try {
          await handle.writeFile(JSON.stringify(next));
          await handle.datasync();
        } catch (cause) {
          await handle.close();
          await rm(fresh, { force: true });
          throw cause;
        }
        await handle.close();
        await rename(fresh, file);
        places = next;
      }),
  };
}

function checked(value: unknown): Record<string, string> {
  if (typeof value === 'object' && value !== null && Object.values(value).every((v) => typeof v === 'string'))
    return value as Record<string, string>;
  throw new Error('it is no object of texts');
}

const unreadable = (file: string, why: string): ConsumerFault =>
  new ConsumerFault(
    'places_unreadable',
    `the places in ${file} cannot be read: ${why}. Restore the file; without it everything is read again from the beginning`,
  );
