import { SourceSet } from '#consuming';
import { kafka, type KafkaOptions } from '#kafka-source';
import type { EventToken, ReadEvent } from '#sdk';
import type { History } from './history.js';
import type { Office } from './office.js';
import type { Tally } from './tally.js';

/** What a program in the data centre needs to read from Kafka. */
export type KafkaAccess = Pick<KafkaOptions, 'brokers' | 'ssl' | 'sasl' | 'prefix'>;

/** The directorates that read straight from Kafka where there is one: immigration, corrections, and immigration control, which decides on bans. */
const CODES = new Set(['ES1-DJIM', 'ES1-DJPAS', 'ES2-WASDAKIM']);

interface Directorate {
  readonly office: Office;
  readonly types: Set<string>;
  /** Source and id of each event of the day. */
  readonly received: Set<string>;
}

export interface DirectoratesDeps {
  /** undefined: there is no Kafka, and all offices read over HTTP. */
  readonly access: KafkaAccess | undefined;
  /** Recorded time at which the day starts. A group goes on where it was, and what is older belongs to an earlier day. */
  readonly from: string;
  readonly history: History;
  readonly tally: Tally;
  readonly fault: (text: string) => void;
}

/** The directorates that sit in the data centre: each is a consumer group of Kafka, with the handlers that all offices have. What they receive is in the history, for the checker. */
export class Directorates {
  readonly #deps: DirectoratesDeps;
  readonly #byOwner = new Map<string, Directorate>();

  constructor(deps: DirectoratesDeps) {
    this.#deps = deps;
  }

  /** Whether the office reads from Kafka. */
  has(office: Office): boolean {
    return this.#deps.access !== undefined && CODES.has(office.unit?.code ?? '');
  }

  follow(office: Office, types: readonly EventToken[]): void {
    let directorate = this.#byOwner.get(office.owner);
    if (directorate === undefined) {
      directorate = { office, types: new Set(), received: new Set() };
      this.#byOwner.set(office.owner, directorate);
    }
    for (const { type } of types) directorate.types.add(type);
  }

  /** Joins the group of each directorate, when all have said what they follow: a group has one list of streams. */
  open(set: SourceSet): void {
    const { access, history, fault } = this.#deps;
    for (const { office, types } of this.#byOwner.values()) {
      const { owner, system, name } = office;
      const report = {
        damaged: (position: string) => fault(`${name}: corrupt_record ${position}`),
        outOfRange: ({ feed, why }: { feed: string; why: string }) => fault(`${name}: ${feed}: ${why}`),
        schemaMissing: (position: string, id: number) => fault(`${name}: no schema ${id} for ${position}`),
      };
      const source = kafka({ ...access!, group: `${owner.toLowerCase()}.${system}`, report });
      set.add({ name: owner, source, types: [...types] });
      history.follows(`${system}@${owner}`, [...types]);
    }
  }

  /** Whether the office has to handle an event that came to it: one of an earlier day is left out. */
  isOfToday({ recordedtime }: ReadEvent): boolean {
    return Date.parse(recordedtime) >= Date.parse(this.#deps.from);
  }

  /** The handler of the office has ended. */
  handled(owner: string, event: ReadEvent): void {
    const directorate = this.#byOwner.get(owner);
    if (directorate === undefined) return;
    directorate.received.add(`${event.source}\n${event.id}`);
    this.#deps.history.received(`${directorate.office.system}@${owner}`, event);
  }

  get received(): number {
    return [...this.#byOwner.values()].reduce((sum, { received }) => sum + received.size, 0);
  }

  /** How many accepted events the directorates have not handled yet. */
  get behind(): number {
    const due = [...this.#byOwner.values()].flatMap(({ types }) => [...types]);
    return due.reduce((sum, type) => sum + this.#deps.tally.acceptedOf(type), 0) - this.received;
  }
}
