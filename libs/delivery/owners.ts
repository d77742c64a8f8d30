import { OWNERS_SPEC } from '#log';
import { COURIER_PARTITIONS } from '#subscriptions';
import { TopicTail, type TableLog, type TableReport } from '#table';
import type { DeskPlace, Desks, SubscriptionDesk } from './desk-port.js';

/** Who claimed a partition last. */
export interface PartitionOwner {
  /** How other processes reach it, as origin of a URL; undefined: it said nothing that is one. */
  readonly address: string | undefined;
  /** R1.1. */
  readonly epoch: bigint;
}

/** Who owns the partitions of one group, as the claim records in `_simpul.owners` say it (R1.1): the last claim of a partition counts. */
export interface OwnersTable {
  of(partition: number): PartitionOwner | undefined;
  /** Calls back for each claim that is read from now on; ends that. */
  onClaim(listener: (partition: number) => void): () => void;
  /** Reads what was claimed until now. Fault `log_unavailable`. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface OwnersOptions {
  readonly log: TableLog;
  readonly group: string;
  readonly report?: TableReport | undefined;
}

/** Reads the claims of a group and follows them. While the log is away, it answers what it has read last. Fault `log_unavailable`. */
export async function openOwners({ log, group, report }: OwnersOptions): Promise<OwnersTable> {
  const owners = new Map<number, PartitionOwner>();
  const listeners = new Set<(partition: number) => void>();
  const tail = new TopicTail<{ partition: number; address: string | undefined }>({
    log,
    topic: OWNERS_SPEC,
    parse: ({ key, value }) => {
      const partition = partitionOfKey(key?.toString() ?? '', group);
      // A record without a value fills the log up to an epoch, and claims nothing.
      if (partition === undefined || value === null) return undefined;
      return { partition, address: addressIn(value) };
    },
    apply: ({ partition, address }, { offset }) => {
      owners.set(partition, { address, epoch: offset });
      for (const listener of listeners) listener(partition);
    },
    onBad: ({ key, offset }, cause) =>
      report?.unreadable?.({ topic: OWNERS_SPEC.name, key: key?.toString() ?? '', offset, cause }),
    onReset: ({ low }) => {
      owners.clear();
      return low;
    },
    report,
  });
  await tail.open();
  return {
    of: (partition) => owners.get(partition),
    onClaim: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    refresh: () => tail.refresh(),
    close: () => tail.close(),
  };
}

/**
 * Where the subscriptions of each partition are: `here`, where this process runs a desk; else at the address of the last claim. A claim of this process itself whose desk
 * is not open (yet, or any more) is `nobody`, so that nothing is sent to oneself.
 */
export function desksBy(
  owners: Pick<OwnersTable, 'of'>,
  address: string,
  here: (partition: number) => SubscriptionDesk | undefined,
): Desks {
  const own = originOf(address);
  return {
    of(partition): DeskPlace {
      const desk = here(partition);
      if (desk !== undefined) return { kind: 'here', desk };
      const there = owners.of(partition)?.address;
      return there === undefined || there === own ? { kind: 'nobody' } : { kind: 'there', address: there };
    },
  };
}

function partitionOfKey(key: string, group: string): number | undefined {
  if (!key.startsWith(`${group}/`)) return undefined;
  const partition = Number(key.slice(group.length + 1));
  return Number.isInteger(partition) && partition >= 0 && partition < COURIER_PARTITIONS ? partition : undefined;
}

function addressIn(value: Buffer): string | undefined {
  const { address } = JSON.parse(value.toString()) as { address?: unknown };
  return typeof address === 'string' ? originOf(address) : undefined;
}

/** Origin of an http(s) URL without a user; undefined for any other text. */
export function originOf(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  return url.origin;
}
