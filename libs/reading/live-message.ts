import { encodeStreamCursor } from './cursor.js';
import { eventText } from './event-text.js';
import type { ShownLevel } from './audience.js';
import type { ReadEvent } from './read-event.js';
import { LARGE_BYTES } from './large.js';
import type { Ring, TailEntry } from './ring.js';

const DATA = 'data: ';

/**
 * Messages of a live stream, in the WHATWG event stream format: a line `id: <cursor>`, then a line `data: <event>`. Cursors are base64url and events are
 * JSON, so neither holds a line break.
 */
export function idLine(stream: string, topicId: string, next: readonly bigint[]): Buffer {
  return Buffer.from(`id: ${encodeStreamCursor({ stream, topicId, next })}\n`);
}

/** Ends a message that carries only an id. */
export const END_OF_MESSAGE = Buffer.from('\n');

/** The data parts of large events. Their bytes are shared by all readers that come past them together. */
const lines = new WeakMap<ReadEvent, Buffer>();

/** The data part of an event's message: of a large event the same bytes as long as the event is the same object. */
export function lineOf(event: ReadEvent): Buffer {
  const isShared = event.bytes > LARGE_BYTES;
  const known = isShared ? lines.get(event) : undefined;
  if (known !== undefined) return known;
  const line = asLine(eventText(event, 'json'));
  if (isShared) lines.set(event, line);
  return line;
}

/** Without a copy of the text, which may be large. */
function asLine(text: string): Buffer {
  const line = Buffer.allocUnsafe(DATA.length + Buffer.byteLength(text) + 2);
  const end = DATA.length + line.write(text, line.write(DATA, 'latin1'));
  line.fill('\n', end);
  return line;
}

/** The data part of an entry's message at a level, made once for all readers. */
export function dataLine(ring: Ring, entry: TailEntry, level: ShownLevel): Buffer {
  let line = entry.data[level];
  if (line === undefined) {
    line = entry.data[level] = asLine(textOf(ring, entry, level));
    ring.grow(entry, line.length);
  }
  return line;
}

/** The JSON text of an entry at a level, made once for all readers. */
export function textOf(ring: Ring, entry: TailEntry, level: ShownLevel): string {
  let text = entry.texts[level];
  if (text === undefined) {
    text = entry.texts[level] = eventText(entry.event.as(level), 'json');
    ring.grow(entry, text.length);
  }
  return text;
}
