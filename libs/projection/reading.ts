/**
 * How far the duplicate index has come (R2.3). Doors read only below the settled end and leave out the copies.
 * Follows `_simpul.copies`, and asks the state store for the newest end while it answers.
 */
export interface Settled {
  /** The settled end known in this process; 0n when none. */
  end(stream: string, partition: number): bigint;
  /** Waits until the settled end reaches `target` or maxMs have passed; answers the settled end then. */
  waitFor(stream: string, partition: number, target: bigint, maxMs: number): Promise<bigint>;
  /** The offset of the first, when the record at `offset` is a listed copy. */
  firstOfCopy(stream: string, partition: number, offset: bigint): bigint | undefined;
  /** false until every stream was caught up once. */
  readonly ready: boolean;
  close(): Promise<void>;
}
