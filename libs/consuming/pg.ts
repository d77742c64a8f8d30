import type { Inbox } from './inbox.js';
import type { Places } from './places.js';
import { timeText } from './sqlite.js';

/** What the package `pg` has: a client of a pool. */
export interface PgClient {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

/** `Pool` of the package `pg`. */
export interface PgPool extends PgClient {
  connect(): Promise<PgClient & { release(destroy?: boolean): void }>;
}

const INBOX =
  'CREATE TABLE IF NOT EXISTS simpul_inbox (grp text NOT NULL, source text NOT NULL, id text NOT NULL, digest text NOT NULL, recorded text NOT NULL, PRIMARY KEY (grp, source, id, digest))';
const INDEX = 'CREATE INDEX IF NOT EXISTS simpul_inbox_recorded ON simpul_inbox (grp, recorded)';
const PLACES =
  'CREATE TABLE IF NOT EXISTS simpul_places (grp text NOT NULL, feed text NOT NULL, place text NOT NULL, PRIMARY KEY (grp, feed))';

/** Makes tables once for a process. Two processes that do so at the same time: one of them is refused, and finds the tables then. */
function once(make: () => Promise<void>): () => Promise<void> {
  let made: Promise<void> | undefined;
  return () =>
    (made ??= make()
      .catch(() => make())
      .catch((cause: unknown) => {
        made = undefined;
        throw cause;
      }));
}

/** An inbox in PostgreSQL, table `simpul_inbox` (made at the first use, if the role may). Each effect has a client of the pool in a transaction of its own. */
export function pgInbox(pool: PgPool): Inbox<PgClient> {
  const ready = once(async () => {
    await pool.query(INBOX);
    await pool.query(INDEX);
  });
  return {
    async once(group, { source, id, digest = '', recordedtime }, effect) {
      await ready();
      const client = await pool.connect();
      let broken = false;
      try {
        await client.query('BEGIN');
        const { rows } = await client.query(
          "SELECT digest FROM simpul_inbox WHERE grp = $1 AND source = $2 AND id = $3 AND (digest = $4 OR digest = '' OR $4 = '')",
          [group, source, id, digest],
        );
        // A second process with the same event waits here until the first has committed.
        const { rowCount } =
          rows.length > 0
            ? { rowCount: 0 }
            : await client.query(
                'INSERT INTO simpul_inbox (grp, source, id, digest, recorded) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
                [group, source, id, digest, timeText(recordedtime)],
              );
        const fresh = rowCount === 1;
        if (fresh) await effect(client);
        await client.query('COMMIT');
        return fresh;
      } catch (cause) {
        await client.query('ROLLBACK').catch(() => (broken = true));
        throw cause;
      } finally {
        client.release(broken);
      }
    },
    async prune(group, beforeMs) {
      await ready();
      await pool.query('DELETE FROM simpul_inbox WHERE grp = $1 AND recorded < $2', [
        group,
        new Date(beforeMs).toISOString(),
      ]);
    },
  };
}

/** Places in PostgreSQL, table `simpul_places`. */
export function pgPlaces(pool: PgClient, group = 'default'): Places {
  const ready = once(async () => void (await pool.query(PLACES)));
  return {
    async load(feed) {
      await ready();
      const { rows } = await pool.query('SELECT place FROM simpul_places WHERE grp = $1 AND feed = $2', [group, feed]);
      return (rows[0] as { place: string } | undefined)?.place;
    },
    async save(feed, place) {
      await ready();
      await pool.query(
        'INSERT INTO simpul_places (grp, feed, place) VALUES ($1, $2, $3) ON CONFLICT (grp, feed) DO UPDATE SET place = excluded.place',
        [group, feed, place],
      );
    },
  };
}
