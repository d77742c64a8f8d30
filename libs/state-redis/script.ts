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
/**
 * The first commit of a partition, when it is large, makes buckets for so many commits like it. A bucket without records takes no memory, and records that
 * share a bucket are read and written together.
 */
export const FORESEEN_COMMITS = 8;
/** A leaf of more ids than this is divided. A scan looks at whole leaves. */
export const LEAF_IDS = 64;
/** A change feed may have three records for each key, and this many more, before old ones are removed. */
export const FEED_SLACK = 2_048;
