/** The place of a record in the log. Its text form, `imigrasi.paspor/3/1042`, is opaque to callers of the API. */
export interface Position {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
}

const POSITION = /^([a-z_][a-z0-9._-]{0,200})\/(0|[1-9]\d{0,5})\/(0|[1-9]\d{0,18})$/;
/** A log has no higher offset: Kafka's are 64 bits with a sign. */
export const MAX_OFFSET = 2n ** 63n - 1n;

export function formatPosition(stream: string, partition: number, offset: bigint): string {
  return `${stream}/${partition}/${offset}`;
}

/** Parses the text form of a position; undefined when the text is not a position. */
export function parsePosition(text: string): Position | undefined {
  const m = POSITION.exec(text);
  if (!m) return undefined;
  const offset = BigInt(m[3]!);
  return offset > MAX_OFFSET ? undefined : { stream: m[1]!, partition: Number(m[2]), offset };
}

/** The name of a partition, as a map key and in texts: `imigrasi.paspor/3`. */
export function partitionKey(stream: string, partition: number): string {
  return `${stream}/${partition}`;
}
