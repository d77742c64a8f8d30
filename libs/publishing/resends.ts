import type { TopicSpec } from '#log';
import { openJournal, type Journal, type TableLog, type TableReport } from '#table';

/** How often sources have sent again what was recorded before, by the minute. Nobody asks for older counts than those of the last minutes. */
export const RESENDS_SPEC: TopicSpec = {
  name: '_simpul.resends',
  partitions: 1,
  cleanup: 'keep',
  retentionMs: 86_400_000,
};
const MINUTE_MS = 60_000;
/** A system that sends again what got no answer has a few in a minute; they are not worth a record. */
const WORTH_A_RECORD = 10;
/** Sources and streams that are counted in a minute. Keys are made by admins, but a key may send to many streams. */
const MOST_COUNTED = 5_000;
const COUNTS_A_RECORD = 500;

/** Counts that add to those of other records. */
export interface MinuteOfResends {
  /** Minutes since 1970. */
  readonly minute: number;
  readonly counts: readonly { readonly source: string; readonly stream: string; readonly events: number }[];
}

export interface ResendsDeps {
  readonly log: TableLog;
  readonly now: () => number;
  readonly report?: TableReport | undefined;
  /** How often counts are written to the log, ms. @default 5,000 */
  readonly flushEveryMs?: number;
}

interface Count {
  readonly source: string;
  readonly stream: string;
  events: number;
  written: number;
}

/**
 * Counts the duplicates that this gateway has answered, by source, stream and minute, and writes what is many to `_simpul.resends`: duplicates are in no stream,
 * and a source that sends again and again must be seen by whoever watches. Counts that the log does not take are lost.
 */
export class Resends {
  readonly #deps: ResendsDeps;
  readonly #journal: Journal<MinuteOfResends>;
  readonly #timer: NodeJS.Timeout;
  #minute = 0;
  #counts = new Map<string, Count>();

  constructor(deps: ResendsDeps, journal: Journal<MinuteOfResends>) {
    this.#deps = deps;
    this.#journal = journal;
    this.#timer = setInterval(() => void this.flush(), deps.flushEveryMs ?? 5_000).unref();
  }

  /** In memory. Never throws, never waits. */
  count(source: string, stream: string): void {
    const minute = Math.floor(this.#deps.now() / MINUTE_MS);
    if (minute !== this.#minute) {
      void this.flush();
      this.#minute = minute;
      this.#counts = new Map();
    }
    const key = `${source}\n${stream}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.events++;
    else if (this.#counts.size < MOST_COUNTED) this.#counts.set(key, { source, stream, events: 1, written: 0 });
  }

  /** Writes the counts that are worth it. Never throws: counting must not stop publishing. */
  async flush(): Promise<void> {
    const minute = this.#minute;
    const many = [...this.#counts.values()].filter((c) => c.events >= WORTH_A_RECORD && c.events > c.written);
    const counts = many.map((c) => {
      const { source, stream, events, written } = c;
      c.written = events;
      return { source, stream, events: events - written };
    });
    for (let at = 0; at < counts.length; at += COUNTS_A_RECORD)
      await this.#journal.append({ minute, counts: counts.slice(at, at + COUNTS_A_RECORD) });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#journal.close();
  }
}

/** Follows the counts of all gateways: `onMinute` gets each record once, from the oldest that is kept. Fault `log_unavailable`. */
export function resendsOf(
  log: TableLog,
  onMinute: (counted: MinuteOfResends) => void,
  report?: TableReport,
): Promise<Journal<MinuteOfResends>> {
  return openJournal<MinuteOfResends>({
    log,
    topic: RESENDS_SPEC,
    parse: (value) => {
      const { minute, counts } = JSON.parse(value.toString()) as Partial<MinuteOfResends>;
      if (!Number.isSafeInteger(minute) || !Array.isArray(counts)) throw new TypeError('no counts of a minute');
      return { minute: minute!, counts };
    },
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onRow: onMinute,
    report,
  });
}

/** Begins to count. Fault `log_unavailable`. */
export async function openResends(deps: ResendsDeps): Promise<Resends> {
  return new Resends(deps, await resendsOf(deps.log, () => undefined, deps.report));
}
