import type { Place } from '../port.js';

/** What a lease was sent of one partition. */
export interface SentPlaces {
  readonly stream: string;
  readonly partition: number;
  /** Ascending. */
  readonly offsets: readonly bigint[];
}

/** By the parts of `sent`: the numbers of the events up to these positions, each in its partition, but for `except`. undefined: one of the positions was not sent. */
export function sentThrough(
  sent: readonly SentPlaces[],
  through: readonly Place[],
  except: readonly Place[] = [],
): readonly (readonly number[])[] | undefined {
  const ends = sent.map(() => 0);
  const left = new Map<number, Set<number>>();
  for (const place of through) {
    const found = numberOf(sent, place);
    if (found === undefined) return undefined;
    ends[found.part] = Math.max(ends[found.part]!, found.at + 1);
  }
  for (const place of except) {
    const found = numberOf(sent, place);
    if (found === undefined) return undefined;
    const { part, at } = found;
    left.set(part, (left.get(part) ?? new Set()).add(at));
  }
  return ends.map((end, part) => {
    const not = left.get(part);
    const numbers: number[] = [];
    for (let at = 0; at < end; at++) if (not?.has(at) !== true) numbers.push(at);
    return numbers;
  });
}

function numberOf(sent: readonly SentPlaces[], place: Place): { part: number; at: number } | undefined {
  const part = sent.findIndex((of) => of.stream === place.stream && of.partition === place.partition);
  const at = sent[part]?.offsets.indexOf(place.offset) ?? -1;
  return at < 0 ? undefined : { part, at };
}

/** The places of what sentThrough() answers. */
export function placesOf(sent: readonly SentPlaces[], numbers: readonly (readonly number[])[]): readonly Place[] {
  return sent.flatMap(({ stream, partition, offsets }, part) =>
    numbers[part]!.map((at) => ({ stream, partition, offset: offsets[at]! })),
  );
}
