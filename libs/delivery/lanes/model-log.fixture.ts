import { E500, REFUSED } from './lanes.fixture.js';
import { laneOf, type Outcome } from './types.js';

/** An event of the log, and what the receiver and the persons know of it. */
export interface Event {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly position: string;
  readonly lane: string;
  readonly subject: string;
  /** How it fails until it is mended. */
  poison: Outcome | undefined;
  delivered: number;
  skipped: boolean;
  /** A person ended it while its attempt ran. */
  ending: boolean;
  /** The lanes of this life have been told its end. */
  finished: boolean;
  /** A crash found its end durable: it must never be delivered again. */
  closed: boolean;
}

/** Partitions of each; `o` is stream-ordered. */
export const STREAMS = { a: 2, b: 1, o: 1 } as const;

/** A random log: the events that match, ascending in each partition, and where each partition ends. */
export function randomLog(random: () => number): {
  readonly events: readonly Event[];
  readonly ends: ReadonlyMap<string, bigint>;
} {
  const below = (n: number): number => Math.floor(random() * n);
  const chance = (p: number): boolean => random() < p;
  const events: Event[] = [];
  const ends = new Map<string, bigint>();
  const subjects = 2 + below(8);
  const poisoned = random() * 0.25;
  for (const [stream, partitions] of Object.entries(STREAMS))
    for (let partition = 0; partition < partitions; partition++) {
      let offset = BigInt(below(5));
      for (let n = below(30); n > 0; n--, offset += BigInt(1 + below(2))) {
        const subject = `s${below(subjects) * partitions + partition}`;
        const event: Event = {
          stream,
          partition,
          offset,
          position: `${stream}/${partition}/${offset}`,
          lane: stream === 'o' ? laneOf(stream) : laneOf(stream, subject),
          subject,
          poison: chance(poisoned) ? (chance(0.5) ? E500 : REFUSED) : undefined,
          delivered: 0,
          skipped: false,
          ending: false,
          finished: false,
          closed: false,
        };
        if (chance(0.8)) events.push(event);
      }
      ends.set(`${stream}/${partition}`, offset);
    }
  return { events, ends };
}
