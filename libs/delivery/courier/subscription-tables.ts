import {
  COURIER_PARTITIONS,
  parseSubscription,
  serialiseSubscription,
  SUBSCRIPTIONS_TOPIC,
  partitionOfSubscription,
  type Subscription,
} from '#subscriptions';
import { openOwnedTable, type OwnedTable, type TableLog, type TableReport } from '#table';
import type { SubscriptionList } from '../desk-port.js';

/** Every subscription, in every process that answers for them; couriers write those of their partitions. */
export class SubscriptionTables implements SubscriptionList {
  readonly #tables: readonly OwnedTable<Subscription>[];
  readonly #close: () => Promise<void>;

  private constructor(tables: readonly OwnedTable<Subscription>[], close: () => Promise<void>) {
    this.#tables = tables;
    this.#close = close;
  }

  /** Makes the topic where it is missing. Fault `log_unavailable`. */
  static async open(log: TableLog, report?: TableReport): Promise<SubscriptionTables> {
    await using opening = new AsyncDisposableStack();
    const open = (partition: number): Promise<OwnedTable<Subscription>> =>
      openOwnedTable<Subscription>({
        log,
        topic: SUBSCRIPTIONS_TOPIC,
        partitions: COURIER_PARTITIONS,
        partition,
        parse: parseSubscription,
        serialise: serialiseSubscription,
        report,
      });
    // The first one makes the topic.
    const first = opening.adopt(await open(0), (t) => t.close());
    const others = Array.from({ length: COURIER_PARTITIONS - 1 }, async (_, i) =>
      opening.adopt(await open(i + 1), (t) => t.close()),
    );
    const tables = [first, ...(await Promise.all(others))];
    const opened = opening.move();
    return new SubscriptionTables(tables, () => opened.disposeAsync());
  }

  of(partition: number): OwnedTable<Subscription> {
    return this.#tables[partition]!;
  }

  get(id: string): Subscription | undefined {
    return this.of(partitionOfSubscription(id)).get(id);
  }

  *all(): IterableIterator<Subscription> {
    for (const table of this.#tables) for (const [, row] of table.entries()) yield row;
  }

  /** Reads what was written until now, in any process. Fault `log_unavailable`. */
  async refresh(): Promise<void> {
    await Promise.all(this.#tables.map((t) => t.refresh()));
  }

  close(): Promise<void> {
    return this.#close();
  }
}
