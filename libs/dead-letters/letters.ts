import { Coalescer, Mutex } from '#concurrency';
import { Fault, isFault } from '#faults';
import type { AppendOutcome, EventLog } from '#log';
import { openJournal, type Journal, type TableLog, type TableReport } from '#table';

/** Topics of dead letters: the group comes behind it. */
export const DEAD_TOPICS = '_simpul.dead.';
/** How long a letter is kept. */
const KEPT_MS = 90 * 86_400_000;
/** Groups of a unit, and letters of a group. A group that has so many has another trouble than poison events. */
export const MAX_GROUPS = 20;
export const MAX_LETTERS = 5_000;
/** Groups that are held in memory, and letters of all of them (up to 2 kB each); the group that was not asked for longest is closed. */
const OPEN_GROUPS = 50;
const HELD_LETTERS = 60_000;

/** `su00123.loket`: the owner of the key in lower case, a dot, a name. */
const GROUP = /^([a-z0-9-]{1,45})\.[a-z0-9][a-z0-9._-]{0,60}$/;

/** An event that a consumer has given up: where it is and why, never its data. */
export interface Letter {
  /** `stream/partition/offset` */
  readonly position: string;
  readonly type: string;
  readonly cause: { readonly code?: string | undefined; readonly message: string };
  readonly attempts: number;
  /** RFC 3339: of the first and the last attempt, by the clock of the consumer. */
  readonly firsttime?: string | undefined;
  readonly lasttime: string;
  /** RFC 3339 UTC, of the hub. */
  readonly recordedtime: string;
  readonly system: string;
  /** Roles without which the unit sees less of the event, or nothing: only keys that have them see the letter. @default none */
  readonly roles?: readonly string[] | undefined;
}

/** A letter that is stored: the given one, or with `repeated` the first of its position. */
export interface AddedLetter {
  readonly letter: Letter;
  readonly repeated: boolean;
}

interface OpenGroup {
  readonly journal: Journal<Letter>;
  /** By position, the oldest first. */
  readonly letters: Map<string, Letter>;
  /** Letters that come while others are written share the next append. */
  readonly writes: Coalescer<Letter, AddedLetter | Fault>;
}

export interface DeadLetterBoxesDeps {
  readonly log: TableLog & Pick<EventLog, 'topics'>;
  readonly now: () => number;
  readonly report?: TableReport | undefined;
  /** Letters of all groups that are held in memory. @default 60,000 */
  readonly held?: number;
}

/** Whose group this is, in lower case; undefined: no name of a group. */
export function ownerOfGroup(group: string): string | undefined {
  return GROUP.exec(group)?.[1];
}

/** Dead letters by consumer group: a topic for each group, written by gateways alone (R10). The first letter of a position counts. */
export class DeadLetterBoxes {
  readonly #deps: DeadLetterBoxesDeps;
  /** The one that was asked for last is last. */
  readonly #open = new Map<string, Promise<OpenGroup>>();
  /** Those of #open that are loaded. */
  readonly #loaded = new Map<string, OpenGroup>();
  /** New groups of a unit are made one after another, so that a burst does not pass its limit. */
  readonly #making = new Map<string, { readonly mutex: Mutex; waiting: number }>();
  /** A cluster tells the names of all its topics: once for all who ask meanwhile. */
  readonly #names: Coalescer<undefined, readonly string[]>;

  constructor(deps: DeadLetterBoxesDeps) {
    this.#deps = deps;
    const run = async (batch: readonly undefined[]): Promise<readonly (readonly string[])[]> => {
      const names = await deps.log.topics();
      return batch.map(() => names);
    };
    this.#names = new Coalescer({ run });
  }

  /**
   * Stores a letter, durably when it resolves; a second one for the same position of the group changes nothing and answers the first. Fault `conflict`: the unit has
   * MAX_GROUPS groups, or a group whose name differs only in `.` and `_`, or the group MAX_LETTERS letters; `not_durable`, `log_unavailable`, `disk_full`: send it again.
   */
  async add(group: string, letter: Letter): Promise<AddedLetter> {
    const open = await this.#group(group, true);
    const added = await open!.writes.add(letter);
    this.#closeOldest(group);
    if (isFault(added)) throw added;
    return added;
  }

  /** Stores letters that came together: what each of them costs the log, a read before and after and an append, they share. */
  async #write(open: OpenGroup, group: string, given: readonly Letter[]): Promise<readonly (AddedLetter | Fault)[]> {
    // Another gateway may have written one of them.
    await open.journal.refresh();
    const known = new Map<string, Letter>();
    const appends = new Map<string, Promise<AppendOutcome>>();
    const kept = this.#kept(open);
    const free = MAX_LETTERS - kept.size;
    for (const letter of given) {
      const { position } = letter;
      const before = kept.get(position);
      if (before !== undefined) known.set(position, before);
      else if (!appends.has(position) && appends.size < free) appends.set(position, open.journal.append(letter));
    }
    const outcomes = new Map<string, AppendOutcome>();
    for (const [position, append] of appends) outcomes.set(position, await append);
    if (appends.size > 0) await open.journal.refresh();
    // Another gateway may have written one for this position at the same time: the first in the log counts.
    const stored = this.#kept(open);
    return given.map((letter) => {
      const { position } = letter;
      const before = known.get(position);
      if (before !== undefined) return { letter: before, repeated: true };
      const outcome = outcomes.get(position);
      const fault = outcome === undefined ? tooMany(group) : faultOf(outcome);
      if (fault !== undefined) return fault;
      const first = stored.get(position) ?? letter;
      return { letter: first, repeated: JSON.stringify(first) !== JSON.stringify(letter) };
    });
  }

  /** The letters of a group, the oldest first; none of a group that nobody has used. Fault `log_unavailable`. */
  async list(group: string): Promise<readonly Letter[]> {
    const open = await this.#group(group, false);
    if (open === undefined) return [];
    await open.journal.refresh();
    return [...this.#kept(open).values()];
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    this.#loaded.clear();
    for (const open of await Promise.allSettled(all)) if (open.status === 'fulfilled') await open.value.journal.close();
  }

  async #group(group: string, make: boolean): Promise<OpenGroup | undefined> {
    const known = this.#open.get(group);
    if (known !== undefined) {
      this.#open.delete(group);
      this.#open.set(group, known);
      return known;
    }
    if (await this.#exists(group)) return this.#hold(group);
    if (!make) return undefined;
    return this.#oneByOne(ownerOfGroup(group)!, async () => {
      await this.#checkNew(group);
      return this.#hold(group);
    });
  }

  async #oneByOne<T>(unit: string, work: () => Promise<T>): Promise<T> {
    const making = this.#making.get(unit) ?? { mutex: new Mutex(), waiting: 0 };
    this.#making.set(unit, making);
    making.waiting++;
    try {
      return await making.mutex.run(work);
    } finally {
      if (--making.waiting === 0) this.#making.delete(unit);
    }
  }

  /** The group as it is held in memory, or is loaded from now on. */
  #hold(group: string): Promise<OpenGroup> {
    const meanwhile = this.#open.get(group);
    if (meanwhile !== undefined) return meanwhile;
    const opening = this.#load(group);
    this.#open.set(group, opening);
    opening.then(
      (loaded) => {
        if (this.#open.get(group) !== opening) return;
        this.#loaded.set(group, loaded);
        this.#closeOldest(group);
      },
      () => this.#open.delete(group),
    );
    this.#closeOldest(group);
    return opening;
  }

  /** Closes the groups that were not asked for longest, until what is held is within its bounds; never the one that is asked for. */
  #closeOldest(asked: string): void {
    const { held: most = HELD_LETTERS } = this.#deps;
    let held = 0;
    for (const { letters } of this.#loaded.values()) held += letters.size;
    for (const [group, closing] of this.#open) {
      if (this.#open.size <= OPEN_GROUPS && held <= most) return;
      if (group === asked) continue;
      held -= this.#loaded.get(group)?.letters.size ?? 0;
      this.#open.delete(group);
      this.#loaded.delete(group);
      void closing.then(({ journal, writes }) => writes.idle().then(() => journal.close())).catch(() => undefined);
    }
  }

  async #exists(group: string): Promise<boolean> {
    return (await this.#names.add(undefined)).includes(DEAD_TOPICS + group);
  }

  async #checkNew(group: string): Promise<void> {
    const own = `${DEAD_TOPICS}${ownerOfGroup(group)!}.`;
    const topic = DEAD_TOPICS + group;
    const groups = (await this.#names.add(undefined)).filter((t) => t.startsWith(own));
    if (groups.includes(topic)) return;
    if (groups.length >= MAX_GROUPS)
      throw new Fault('conflict', { detail: `${MAX_GROUPS} groups of this unit have dead letters` });
    // Kafka refuses a second topic whose name differs only in these: its metrics have one name for both.
    const twin = groups.find((t) => t.replaceAll('_', '.') === topic.replaceAll('_', '.'));
    if (twin !== undefined) throw new Fault('conflict', { detail: twin.slice(DEAD_TOPICS.length) });
  }

  async #load(group: string): Promise<OpenGroup> {
    const letters = new Map<string, Letter>();
    const journal = await openJournal<Letter>({
      log: this.#deps.log,
      topic: { name: DEAD_TOPICS + group, partitions: 1, cleanup: 'keep', retentionMs: KEPT_MS },
      parse: parseLetter,
      serialise: (letter) => Buffer.from(JSON.stringify(letter)),
      onRow: (letter) => {
        const known = letters.get(letter.position);
        if (known !== undefined && known.recordedtime >= this.#keptFrom()) return;
        // One that has expired gives way to a later one.
        letters.delete(letter.position);
        letters.set(letter.position, letter);
      },
      report: this.#deps.report,
    });
    const open: OpenGroup = {
      journal,
      letters,
      writes: new Coalescer({ run: (given: readonly Letter[]) => this.#write(open, group, given) }),
    };
    return open;
  }

  /** Without those that retention has passed. */
  #kept({ letters }: OpenGroup): Map<string, Letter> {
    const before = this.#keptFrom();
    for (const [position, { recordedtime }] of letters) {
      if (recordedtime >= before) break;
      letters.delete(position);
    }
    return letters;
  }

  #keptFrom(): string {
    return new Date(this.#deps.now() - KEPT_MS).toISOString();
  }
}

const tooMany = (group: string): Fault => new Fault('conflict', { detail: `${group} has ${MAX_LETTERS} dead letters` });

function faultOf(outcome: AppendOutcome): Fault | undefined {
  if (outcome.kind === 'uncertain') return new Fault('not_durable', { retryAfterMs: 1_000, cause: outcome.cause });
  if (outcome.kind === 'refused')
    return new Fault(outcome.code === 'disk_full' ? 'disk_full' : 'log_unavailable', { cause: outcome.cause });
  return undefined;
}

function parseLetter(bytes: Buffer): Letter {
  const letter = JSON.parse(bytes.toString()) as Partial<Letter> | null;
  if (typeof letter?.position !== 'string' || typeof letter.recordedtime !== 'string')
    throw new TypeError('no dead letter');
  return letter as Letter;
}
