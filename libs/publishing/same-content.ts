import { digestOf } from '#event';
import { isFault } from '#faults';
import type { Catalogue } from '#registry';
import type { ReadyItem } from './item.js';

/** What is known of an event that already has this (source, id). */
export interface Standing {
  readonly stream: string;
  readonly partition: number;
  /** Hex. */
  readonly digest: string;
  readonly schemaId: number;
}

/**
 * Whether `item` says the same as the event that stands (R2.6). Equal digests say so at once. Under another version of the schema (a resend
 * after an upgrade) the data is written as that version writes it: the digest must then be equal, and nothing may have got lost on the way.
 */
export function sameContent(item: ReadyItem, standing: Standing, catalogue: Catalogue): boolean {
  if (item.stream !== standing.stream || item.partition !== standing.partition) return false;
  if (item.digest === standing.digest) return true;
  if (item.type.schemaId === standing.schemaId) return false;
  const then = catalogue.bySchemaId(standing.schemaId);
  if (then?.type !== item.type.type) return false;
  const now = item.type;
  try {
    const asThen = then.contract.encode(
      now.contract.decode(item.value, { framed: true, reader: then.contract }),
      then.schemaId,
    );
    if (!asThen.ok || digestOf(item.key, asThen.value).toString('hex') !== standing.digest) return false;
    const andBack = now.contract.encode(
      then.contract.decode(asThen.value, { framed: true, reader: now.contract }),
      now.schemaId,
    );
    return andBack.ok && andBack.value.equals(item.value);
  } catch (e) {
    // The two versions cannot be read as each other: other content.
    if (isFault(e)) return false;
    throw e;
  }
}
