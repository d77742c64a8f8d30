import type { ProducerIdentity } from './platformatic/index.js';

/** A producer epoch is an int16. */
const LAST_EPOCH = 32_767;
/** Sequence numbers are an int32 and do not wrap here: a new epoch begins well before. */
const RECORDS_PER_EPOCH = 2_000_000_000;

/** The producer as one batch names it. */
export interface BatchSequence {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Of the first record. */
  readonly sequence: number;
}

/**
 * The producer id, epoch and next sequence number of one partition (idempotence). The epoch belongs to the partition: a broker keeps the producer's epoch
 * for each partition, takes any greater one that begins at sequence 0, and refuses a smaller one from then on (INVALID_PRODUCER_EPOCH). So a batch whose
 * outcome is in doubt cannot be written any more behind a newer one, and no other partition is touched (KIP-360).
 */
export class PartitionSequences {
  /** undefined: the next batch needs a producer id that this partition has not used. */
  #identity: ProducerIdentity | undefined;
  /** The id that this partition has used up. */
  #spent: bigint | undefined;
  #epoch = 0;
  #next = 0;

  /** Whether `given` can be the id of this partition: not the one that it has used up. */
  accepts(given: ProducerIdentity): boolean {
    return given.id !== this.#spent;
  }

  get needsId(): boolean {
    return this.#identity === undefined;
  }

  take(given: ProducerIdentity): void {
    this.#identity = given;
    this.#epoch = given.epoch;
    this.#next = 0;
  }

  /** For the next batch; its numbers are used up when written() says so. Call only while needsId is false. */
  forBatch(): BatchSequence {
    return { producerId: this.#identity!.id, epoch: this.#epoch, sequence: this.#next };
  }

  written(records: number): void {
    this.#next += records;
    if (this.#next > RECORDS_PER_EPOCH) this.newEpoch();
  }

  /** The next batch has the next epoch and sequence 0; after the last epoch it needs a new id (`new_id`). */
  newEpoch(): 'new_epoch' | 'new_id' {
    if (this.#epoch >= LAST_EPOCH) return this.newId();
    this.#epoch++;
    this.#next = 0;
    return 'new_epoch';
  }

  newId(): 'new_id' {
    this.#spent = this.#identity?.id ?? this.#spent;
    this.#identity = undefined;
    return 'new_id';
  }
}
