import { isObject, type Shape } from './answer.js';

/** The members of this name are texts. */
export const texts =
  (...names: readonly string[]): Shape =>
  (body) =>
    names.every((name) => typeof body[name] === 'string');

/** The member has this value. */
export const named =
  (name: string, value: unknown): Shape =>
  (body) =>
    body[name] === value;

/** Every one of the shapes. */
export const all =
  (...shapes: readonly Shape[]): Shape =>
  (body) =>
    shapes.every((shape) => shape(body));

/** A list under this name whose rows have the shape. */
export const listOf =
  (name: string, row: Shape): Shape =>
  ({ [name]: rows, next }) =>
    Array.isArray(rows) &&
    rows.every((r) => isObject(r) && row(r)) &&
    (next === undefined || next === null || typeof next === 'string');

const POSITION = /^[^/]+\/\d+\/\d+$/;

/** The receipt of this event. */
export const isReceipt = (source: string | undefined, id: string | undefined): Shape =>
  all(
    texts('id', 'source'),
    ({ position }) => typeof position === 'string' && POSITION.test(position),
    (b) => (source === undefined || b['source'] === source) && (id === undefined || b['id'] === id),
  );

/** The entry of this key in a view; of any key when it is not known, as in a lookup. */
export const isEntry = (view: string, key?: string): Shape =>
  all(
    texts('key', 'position'),
    named('view', view),
    ({ value, key: k }) => isObject(value) && (key === undefined || k === key),
  );

/** A row of a list of entries. */
export const isListedEntry: Shape = all(texts('key', 'position'), ({ value }) => isObject(value));

/** An event of this stream; of any stream, with its position, when none is named. */
export const isEventOf = (stream?: string): Shape =>
  all(texts('id', 'source', 'type'), ({ position }) =>
    stream === undefined
      ? typeof position === 'string' && POSITION.test(position)
      : position === undefined || String(position).startsWith(`${stream}/`),
  );

/** A page of a stream. `next` is always given: it is a cursor. */
export const isPage = (stream: string): Shape => all(listOf('events', isEventOf(stream)), texts('next'));

/** Who a key is. */
export const isMe: Shape = all(texts('keyId', 'unit', 'system', 'source'), ({ roles }) => Array.isArray(roles));
