import { Mutex } from '#concurrency';
import { Fault } from '#faults';
import type { AssignedPartition, Membership } from '#log';

/** The stores held an epoch that was claimed in another `_simpul.owners` than the one that is there. */
export interface EpochsRaised {
  readonly partition: number;
  /** The greatest epoch that the stores held of this partition number. */
  readonly stored: bigint;
  /** The epoch that was claimed above it. */
  readonly epoch: bigint;
}

/** A store holds an epoch that no owners log can have given: a damaged or foreign row. */
export interface EpochUnbelievable {
  readonly partition: number;
  readonly stored: bigint;
  /** The epoch that this process has claimed. */
  readonly epoch: bigint;
}

export interface ClaimsReport {
  /** Epochs were raised above those of an owners log that is no longer there. The log was deleted, or is older than the stores. */
  epochsRaised?(raised: EpochsRaised): void;
  /** The partition number stands still until the row is gone. Called once for each stored epoch. */
  epochUnbelievable?(found: EpochUnbelievable): void;
  /** This process was fenced `times` times in a row in this partition number, without a commit between: another process claims it too. */
  disputed?(partition: number, times: number): void;
}

export interface ClaimsDeps {
  /** The greatest epoch that any store holds of this partition number; −1n: none. Faults of log and state. */
  readonly newest: (partition: number) => Promise<bigint>;
  readonly membership: () => Membership | undefined;
  readonly report?: ClaimsReport | undefined;
}

interface Claim {
  readonly mutex: Mutex;
  /** The epoch that was found to be greater than all stored ones, before anything was written under it. */
  verified: bigint | undefined;
  /** The epoch in whose place another one was claimed. */
  superseded: bigint | undefined;
  fences: number;
  /** The stored epoch that was told to be no claim. */
  unbelievable: bigint | undefined;
}

const DISPUTED_FENCES = 3;
/**
 * So many epochs are raised at most: more than any deployment has claimed in its life, and some minutes of appends. What lies beyond was never claimed: a
 * flipped bit of a row would fill the disk with claims.
 */
const MOST_RAISED = 10_000_000n;

/** The claims of this process on partition numbers (R1): compared with the stores before the first write, and claimed again when one is fenced. */
export class Claims {
  readonly #deps: ClaimsDeps;
  readonly #claims = new Map<number, Claim>();

  constructor(deps: ClaimsDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when no store holds this epoch or a greater one from before this claim. An epoch is the offset of its claim record, so a stored one that is not
   * older comes from a newer owner, or from an owners log that is no longer there. Then the partition number is claimed again, above it, and Fault
   * `fenced` says that start() comes again. Fault `state_unavailable`: the stored epoch was never claimed. Faults of log and state.
   */
  async verify({ partition, epoch }: Pick<AssignedPartition, 'partition' | 'epoch'>): Promise<void> {
    const claim = this.#of(partition);
    await claim.mutex.run(async () => {
      if (claim.verified === epoch) return;
      if (claim.superseded !== epoch) {
        const stored = await this.#deps.newest(partition);
        if (stored < epoch) {
          Object.assign(claim, { verified: epoch, superseded: undefined });
          return;
        }
        await this.#claim(claim, partition, epoch, stored);
      }
      throw new Fault('fenced', { detail: `partition ${partition} is claimed again` });
    });
  }

  /** The stores are compared with this epoch again by the next verify(). */
  doubt({ partition, epoch }: Pick<AssignedPartition, 'partition' | 'epoch'>): void {
    const claim = this.#of(partition);
    if (claim.verified === epoch) claim.verified = undefined;
  }

  /** Claims the partition number again in the place of this epoch, once for all who ask. `above`: an epoch that a store holds. Faults as verify(). */
  async again(partition: number, epoch: bigint, above?: bigint): Promise<void> {
    const claim = this.#of(partition);
    await claim.mutex.run(async () => {
      if (claim.superseded !== epoch) await this.#claim(claim, partition, epoch, above);
    });
  }

  /** A commit under this epoch was refused because of a newer one: claims again, once for all who ask. */
  async fenced(partition: number, epoch: bigint): Promise<void> {
    const claim = this.#of(partition);
    await claim.mutex.run(async () => {
      if (claim.superseded === epoch) return;
      if (++claim.fences % DISPUTED_FENCES === 0) this.#deps.report?.disputed?.(partition, claim.fences);
      await this.#claim(claim, partition, epoch);
    });
  }

  /** A commit was made. */
  committed(partition: number): void {
    const claim = this.#claims.get(partition);
    if (claim !== undefined) claim.fences = 0;
  }

  async #claim(claim: Claim, partition: number, epoch: bigint, above?: bigint): Promise<void> {
    const membership = this.#deps.membership();
    if (!membership)
      throw new Fault('fenced', { detail: 'a newer epoch has written, and the group is not joined yet' });
    if (above !== undefined && above - epoch > MOST_RAISED) this.#refuse(claim, { partition, stored: above, epoch });
    const claimed = await membership.reclaim(partition, above);
    if (claimed.kind === 'lost') return;
    claim.superseded = epoch;
    // Nobody else can have claimed the very same offset in this log.
    if (above !== undefined && (claimed.skipped > 0n || above === epoch))
      this.#deps.report?.epochsRaised?.({ partition, stored: above, epoch: claimed.epoch });
  }

  #refuse(claim: Claim, found: EpochUnbelievable): never {
    if (claim.unbelievable !== found.stored) this.#deps.report?.epochUnbelievable?.(found);
    claim.unbelievable = found.stored;
    throw new Fault('state_unavailable', {
      detail: `partition ${found.partition}: epoch ${found.stored} was never claimed; a row is damaged`,
    });
  }

  #of(partition: number): Claim {
    let claim = this.#claims.get(partition);
    if (claim === undefined) {
      claim = { mutex: new Mutex(), verified: undefined, superseded: undefined, fences: 0, unbelievable: undefined };
      this.#claims.set(partition, claim);
    }
    return claim;
  }
}
