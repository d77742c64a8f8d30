import { hash } from 'node:crypto';

export interface Script {
  readonly lua: string;
  readonly sha: string;
  /** Refused with `state_untrusted` while a server may evict keys or is a replica. Reads of a view partition see what is missing by themselves. */
  readonly needsTrust: boolean;
}

export const script = (lua: string, needsTrust: boolean): Script => ({ lua, sha: hash('sha1', lua), needsTrust });

/** Buckets are split while they hold more bytes than this on average. */
export const BUCKET_BYTES = 400;
/** A leaf of more ids than this is divided. */
export const LEAF_IDS = 128;
/** A change feed may have this many records beyond two for each key before old ones are removed. */
export const FEED_SLACK = 2_048;
