import { deferred } from '#concurrency';
import {
  createConsumer,
  ConsumerFault,
  type EventSource,
  type Handling,
  type Inbox,
  type ReceivedEvent,
} from '#consuming';

/** Gives the events to the handler as one batch of a feed, each once. Resolves when all are finished; rejects with what the handler threw. */
export async function handOver(
  handling: Handling,
  events: readonly ReceivedEvent[],
  { group, inbox }: { readonly group: string; readonly inbox?: Inbox | undefined },
): Promise<void> {
  const ended = deferred<void>();
  const finished = deferred<void>();
  const source: EventSource = {
    async run(sink) {
      const commit = (count: number): Promise<void> => {
        if (count >= events.length) finished.resolve();
        return Promise.resolve();
      };
      await sink.deliver({ feed: handling.token.stream, events, commit }).catch(() => undefined);
      await ended.promise;
    },
    stop: () => Promise.resolve(ended.resolve()),
  };
  const once = { attempts: 1, then: 'stop' as const };
  const consumer = createConsumer({
    source,
    group,
    handlers: [{ ...handling, options: { ...handling.options, ...once } } as Handling],
    placeMs: 0,
    ...(inbox === undefined ? {} : { inbox }),
  });
  const running = consumer.run();
  try {
    await Promise.race([finished.promise, running]);
  } catch (fault) {
    throw fault instanceof ConsumerFault && fault.code === 'handler_failed' ? fault.cause : fault;
  }
  await consumer.stop();
  await running;
}
