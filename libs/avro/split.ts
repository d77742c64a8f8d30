import { MAX_JSON_DEPTH } from './limits.js';
import type { ByteRange, Split } from './types.js';

const NOT_A_LIST: Split = { ok: false, code: 'invalid_json', detail: 'the text is not one JSON list' };

function isSpace(c: number): boolean {
  return c === 32 || c === 10 || c === 13 || c === 9;
}

/** After so many bytes, or items, a split takes a step. */
const STEP_BYTES = 65_536;
const STEP_LINES = 4_096;

/** Work that can be left between its steps. */
export type InSteps<T> = Generator<undefined, T>;

/** Does all steps at once. */
export function atOnce<T>(steps: InSteps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As splitJsonArrayInSteps, in one go: some 150 ms for 8 MiB of brackets. */
export function splitJsonArray(bytes: Uint8Array, maxItems: number): Split {
  return atOnce(splitJsonArrayInSteps(bytes, maxItems));
}

/** As splitNdjsonInSteps, in one go. */
export function splitNdjson(bytes: Uint8Array, maxItems: number): Split {
  return atOnce(splitNdjsonInSteps(bytes, maxItems));
}

/**
 * The byte ranges of the items of a JSON list. Only brackets and quotes are examined, so an item can still be invalid JSON: that is then an error of this item
 * alone. Refusals `invalid_json`, `json_too_deep`, `body_too_large` (more than `maxItems` items). Total.
 */
export function* splitJsonArrayInSteps(bytes: Uint8Array, maxItems: number): InSteps<Split> {
  const n = bytes.length;
  let at = 0;
  while (at < n && isSpace(bytes[at]!)) at++;
  if (bytes[at] !== 91) return NOT_A_LIST;
  const items: ByteRange[] = [];
  let start = ++at;
  let depth = 0;
  let step = at + STEP_BYTES;
  for (; at < n; at++) {
    if (at >= step) {
      yield;
      step = at + STEP_BYTES;
    }
    const c = bytes[at]!;
    if (c === 34) {
      at = closingQuote(bytes, at + 1);
    } else if (c === 91 || c === 123) {
      // The list itself counts as one level.
      if (++depth >= MAX_JSON_DEPTH)
        return { ok: false, code: 'json_too_deep', detail: `nested more than ${MAX_JSON_DEPTH} levels` };
    } else if (depth > 0) {
      if (c === 93 || c === 125) depth--;
    } else if (c === 44 || c === 93) {
      const item = trim(bytes, start, at);
      const last = c === 93;
      if (item[0] !== item[1] || !last || items.length > 0) items.push(item);
      if (items.length > maxItems) return tooMany(maxItems);
      if (last) return restIsBlank(bytes, at + 1) ? { ok: true, items } : NOT_A_LIST;
      start = at + 1;
    } else if (c === 125) return NOT_A_LIST;
  }
  return NOT_A_LIST;
}

/** The byte ranges of the lines that are not blank. Refusal `body_too_large` for more than `maxItems` lines. Total. */
export function* splitNdjsonInSteps(bytes: Uint8Array, maxItems: number): InSteps<Split> {
  const items: ByteRange[] = [];
  let start = 0;
  // Blank lines are no items.
  for (let lines = 0; start < bytes.length; lines++) {
    if (lines % STEP_LINES === STEP_LINES - 1) yield;
    let end = bytes.indexOf(10, start);
    if (end < 0) end = bytes.length;
    const item = trim(bytes, start, end);
    if (item[0] < item[1]) items.push(item);
    if (items.length > maxItems) return tooMany(maxItems);
    start = end + 1;
  }
  return { ok: true, items };
}

function tooMany(maxItems: number): Split {
  return { ok: false, code: 'body_too_large', detail: `more than ${maxItems} items` };
}

function closingQuote(bytes: Uint8Array, from: number): number {
  let i = from;
  while (i < bytes.length && bytes[i] !== 34) i += bytes[i] === 92 ? 2 : 1;
  return i;
}

function trim(bytes: Uint8Array, from: number, to: number): ByteRange {
  let start = from;
  let end = to;
  while (start < end && isSpace(bytes[start]!)) start++;
  while (end > start && isSpace(bytes[end - 1]!)) end--;
  return [start, end];
}

function restIsBlank(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (!isSpace(bytes[i]!)) return false;
  return true;
}
