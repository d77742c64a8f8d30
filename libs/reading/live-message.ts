import { encodeStreamCursor } from './cursor.js';
import { eventText } from './event-text.js';
import type { ShownLevel } from './audience.js';
import type { Ring, TailEntry } from './ring.js';

/**
 * Messages of a live stream, in the WHATWG event stream format: a line `id: <cursor>`, then a line `data: <event>`. Cursors are base64url and events are
 * JSON, so neither holds a line break.
 */
export function idLine(stream: string, topicId: string, next: readonly bigint[]): Buffer {
  return Buffer.from(`id: ${encodeStreamCursor({ stream, topicId, next })}\n`);
}

/** Ends a message that carries only an id. */
export const END_OF_MESSAGE = Buffer.from('\n');

/** The data part of an entry's message at a level, made once for all readers. */
export function dataLine(ring: Ring, entry: TailEntry, level: ShownLevel): Buffer {
  let line = entry.data[level];
  if (line === undefined) {
    line = entry.data[level] = Buffer.from(`data: ${textOf(ring, entry, level)}\n\n`);
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
