import type { TopicSpec } from '#log';

/** What the writer thread is asked. Only types: the thread's file must stand alone. */
export type Op =
  | {
      readonly op: 'append';
      readonly part: number;
      readonly nowMs: number;
      readonly count: number;
      /** The records as batch.ts writes them; its memory is handed over. */
      readonly data: Uint8Array;
      /** Only for a claimed writer: written if this is still the topic's claim. */
      readonly claim?: { readonly topic: number; readonly epoch: number };
    }
  | { readonly op: 'topics'; readonly specs: readonly (TopicSpec & { readonly id: string })[] }
  | { readonly op: 'delete'; readonly topic: number }
  | { readonly op: 'claim'; readonly topic: number }
  | { readonly op: 'maintain'; readonly nowMs: number; readonly whole: boolean }
  | { readonly op: 'close' };

export type Answer =
  | { readonly kind: 'accepted'; readonly base: number; readonly timeMs: number }
  | { readonly kind: 'done'; readonly epoch?: number }
  /** The partition or topic is no longer there. Nothing was written. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'conflict'; readonly topic: string }
  | { readonly kind: 'refused'; readonly code: 'disk_full' | 'log_unavailable'; readonly reason: string }
  | { readonly kind: 'uncertain'; readonly reason: string };

export interface Ask {
  readonly id: number;
  readonly op: Op;
}

/** To the thread: many asks at once. From it: many answers at once, or how the opening went. */
export type FromThread =
  | { readonly opened: true }
  | { readonly opened: false; readonly code: 'data_format' | 'log_unavailable'; readonly reason: string }
  | { readonly answers: readonly (readonly [id: number, answer: Answer])[] };

export interface ThreadStart {
  readonly file: string;
  /** Upper bound of the file in pages of 4 KiB; 0 = none. */
  readonly maxPages: number;
}
