import { appendFileSync } from 'node:fs';
import type { EventToken } from '#sdk';
import { ConsumerFault, createConsumer, onEvent, type EventSource, type FeedBatch } from '../index.js';
import type { Fate } from './harness.js';

interface Order {
  readonly module: string;
  readonly open: string;
  readonly options: object;
  readonly group: string;
  readonly token: EventToken;
  readonly file: string;
  /** The handler of this event ends the process, or never comes to an end. */
  readonly fate?: { readonly id: string; readonly how: Fate };
}

// Writes what it does to a file, line by line: `r running` when it takes signals, `b id` begins an event, `e id feed` has ended it, `p feed n` begins to store
// the place with the first n of them finished, `c feed n` has stored it, `f code` the consumer has ended with a fault.
const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const room = (await import(order.module)) as Record<string, (options: object) => EventSource>;
const source = room[order.open]!({ ...order.options, group: order.group });
const write = (line: string): void => appendFileSync(order.file, `${line}\n`);
const meet = (how: Fate): Promise<void> => (how === 'exits' ? process.exit(0) : new Promise(() => undefined));
const ended = new Map<string, number>();

const counting: EventSource = {
  stop: () => source.stop(),
  run: (sink, interest) =>
    source.run(
      {
        revoke: (feed, withinMs) => sink.revoke(feed, withinMs),
        deliver: (batch) => {
          const counted: FeedBatch = {
            ...batch,
            commit: async (count, above) => {
              const n = ended.get(batch.feed) ?? 0;
              write(`p ${batch.feed} ${n}`);
              await batch.commit(count, above);
              write(`c ${batch.feed} ${n}`);
            },
          };
          return sink.deliver(counted);
        },
      },
      interest,
    ),
};
const consumer = createConsumer({
  source: counting,
  group: order.group,
  placeMs: 20,
  stopMs: 2_000,
  handlers: [
    onEvent(
      order.token,
      async ({ id }, { feed }) => {
        write(`b ${id}`);
        if (id === order.fate?.id) await meet(order.fate.how);
        await new Promise((done) => setTimeout(done, Math.random() * 4));
        ended.set(feed, (ended.get(feed) ?? 0) + 1);
        write(`e ${id} ${feed}`);
      },
      { concurrency: 4, timeoutMs: 500 },
    ),
  ],
});
process.on('SIGTERM', () => void consumer.stop());
write('r running');
try {
  await consumer.run();
} catch (cause) {
  if (!(cause instanceof ConsumerFault)) throw cause;
  write(`f ${cause.code}`);
  process.exit(1);
}
process.exit(0);
