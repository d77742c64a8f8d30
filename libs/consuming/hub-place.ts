import type { SdkFault } from '#sdk';
import { ConsumerFault } from './fault.js';

/** The record of a place in a stream. `cursor`: of the page where the first unfinished event is. */
export interface Place {
  readonly cursor?: string;
  readonly from?: string;
  readonly above?: string;
  /** Id of the subscription that has gone on from here. */
  readonly moved?: string;
}

export function placeOf(text: string | undefined): Place | undefined {
  if (text === undefined) return undefined;
  if (!text.startsWith('{')) return { cursor: text };
  return JSON.parse(text) as Place;
}

/** Codes that say that the place does not exist any more. */
export const GAPS = new Set(['offset_out_of_range', 'stream_recreated', 'unknown_cursor']);

export const eventsMissing = (stream: string, cause: SdkFault): ConsumerFault =>
  new ConsumerFault(
    'events_missing',
    `the stored place of ${stream} does not exist at the hub any more (${cause.code}): events were removed before they were read, or the stream is another. Choose onGap: 'earliest' to go on from the oldest event; events that come again are known by source and id`,
    cause,
  );
