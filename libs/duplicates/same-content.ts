import { digestOf } from '#event';
import { isFault } from '#faults';
import type { Catalogue, EventType } from '#registry';

/** An event whose bytes are at hand. */
export interface ComparedEvent {
  readonly stream: string;
  readonly partition: number;
  readonly key: Buffer;
  /** Confluent-framed Avro. */
  readonly value: Buffer;
  /** Hex. */
  readonly digest: string;
  readonly type: EventType;
}

/** What is kept of the earlier event under the same (source, id). */
export interface OriginalContent {
  readonly stream: string;
  readonly partition: number;
  /** Hex. */
  readonly digest: string;
  readonly schemaId: number;
}

/**
 * Whether an event has the same content as the earlier one under its (source, id) (R2.6). Equal digests: yes. Under different versions of one schema,
 * the event is encoded as the version of the original: the digests must then be equal, and the way back must give the same bytes, so that no version
 * drops a value that is not its default. Needs no bytes of the original.
 */
export function sameContent(
  event: ComparedEvent,
  original: OriginalContent,
  catalogue: Pick<Catalogue, 'bySchemaId'>,
): boolean {
  if (event.stream !== original.stream || event.partition !== original.partition) return false;
  if (event.digest === original.digest) return true;
  const { key, value, type } = event;
  if (type.schemaId === original.schemaId) return false;
  const other = catalogue.bySchemaId(original.schemaId);
  if (other?.type !== type.type) return false;
  try {
    const asOther = recoded(value, type, other);
    if (asOther === undefined || digestOf(key, asOther).toString('hex') !== original.digest) return false;
    return recoded(asOther, other, type)?.equals(value) === true;
  } catch (e) {
    // The two versions cannot be read as each other: other content.
    if (isFault(e)) return false;
    throw e;
  }
}

function recoded(value: Buffer, from: EventType, to: EventType): Buffer | undefined {
  const data = from.contract.decode(value, { framed: true, reader: to.contract });
  const encoded = to.contract.encode(data, to.schemaId);
  return encoded.ok ? encoded.value : undefined;
}
