import type { TopicSpec } from '#log';

/** A request to the writer thread. This file holds only types, because Node loads writer.ts without the rest of the room. */
export type Op =
  | {
      readonly op: 'append';
      readonly part: number;
      readonly nowMs: number;
      readonly count: number;
      /** The records as batch.ts encodes them; the memory is transferred, not copied. */
      readonly data: Uint8Array;
      /** Of a claimed writer (R4): `fenced` unless this is still the newest claim of the topic. */
      readonly claim?: { readonly topic: number; readonly epoch: number };
    }
  | { readonly op: 'topics'; readonly specs: readonly (TopicSpec & { readonly id: string })[] }
  | { readonly op: 'delete'; readonly topic: number }
  | { readonly op: 'claim'; readonly topic: number }
  | { readonly op: 'maintain'; readonly nowMs: number; readonly whole: boolean }
  | { readonly op: 'close' };

export type Answer =
  | { readonly kind: 'accepted'; readonly base: number; readonly appendTimeMs: number }
  | { readonly kind: 'done'; readonly epoch?: number }
  /** The partition or topic was deleted. Nothing was written. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'conflict'; readonly topic: string }
  | { readonly kind: 'refused'; readonly code: 'disk_full' | 'log_unavailable'; readonly reason: string }
  | { readonly kind: 'uncertain'; readonly reason: string };

export interface Request {
  readonly id: number;
  readonly op: Op;
}

/** A message of the thread: many answers at once, or the result of opening the file. A message to it is a list of requests. */
export type FromThread =
  | { readonly opened: true }
  | { readonly opened: false; readonly code: 'data_format' | 'log_unavailable'; readonly reason: string }
  | { readonly answers: readonly (readonly [id: number, answer: Answer])[] };

export interface ThreadStart {
  readonly file: string;
  /** Upper bound of the file in pages of 4 KiB; 0 = none. */
  readonly maxPages: number;
}
