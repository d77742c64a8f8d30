/** Bound of the metadata of a place in Kafka is 4,096 bytes (offset.metadata.max.bytes). */
const MAX_LENGTH = 3_500;
const VERSION = 'simpul1';
const ID_LENGTH = 8;

/**
 * Which topic a group has read under the name of each stream: the beginning of its id. Kafka deletes the places of a group together with a topic, so a group that
 * did not run then looks like a new one; the marks lie in the place of a control topic, which stays.
 */
export type Marks = ReadonlyMap<string, string>;

export const markOf = (topicId: string): string => topicId.slice(0, ID_LENGTH);

/** Whether the group has read another topic under this name. */
export function isOther(marks: Marks, stream: string, topicId: string): boolean {
  const mark = marks.get(stream);
  return mark !== undefined && mark !== markOf(topicId);
}

/** Total: what is no text of marks holds none. */
export function parseMarks(text: string | null | undefined): Marks {
  const [version, ...pairs] = (text ?? '').split(' ');
  if (version !== VERSION) return new Map();
  return new Map(pairs.map((pair) => pair.split('=')).filter((p): p is [string, string] => p.length === 2));
}

/** Streams that do not fit are left out: they are not told when they are made again. */
export function marksText(marks: Marks): string {
  let text = VERSION;
  for (const [stream, mark] of [...marks].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const pair = ` ${stream}=${mark}`;
    if (text.length + pair.length <= MAX_LENGTH) text += pair;
  }
  return text;
}
