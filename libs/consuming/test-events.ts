import type { Reader } from '#sdk';
import { HubSource, type HubSourceReport } from './hub-source.js';
import type { Places } from './places.js';
import { readyMsOf, type EventSource, type Interest, type Sink } from './port.js';

const TEST_STREAM = '_simpul.test';
/** What a developer tries is over with the process. */
const NO_PLACES: Places = { load: () => undefined, save: () => undefined };

export interface TestEventsOptions {
  readonly reader: Pick<Reader, 'pages'>;
  /** How long stop() waits for handlers, ms. @default 25,000 */
  readonly stopMs?: number;
  readonly report?: HubSourceReport;
}

/**
 * A source that gives test events (extension `simpultest`) beside the events of another one: a feed of its own, `_simpul.test`, of what is recorded from the start of the
 * source on. No place is stored. Ends with the other source, and rejects when either rejects.
 */
export function withTestEvents(source: EventSource, options: TestEventsOptions): EventSource {
  const tests = new HubSource({
    ...options,
    places: NO_PLACES,
    from: 'latest',
    onGap: 'earliest',
    stream: TEST_STREAM,
  });
  return {
    async run(sink: Sink, interest: Interest) {
      await Promise.all([source.run(sink, interest), tests.run(sink, interest)]);
    },
    ...(source.keepsAccount === undefined ? {} : { keepsAccount: source.keepsAccount }),
    get readyMs() {
      return readyMsOf(source);
    },
    async ready() {
      await Promise.all([source.ready?.(), tests.ready()]);
    },
    async stop() {
      await Promise.all([source.stop(), tests.stop()]);
    },
  };
}

/** Whether an event is a test. */
export const isTestEvent = (event: { readonly [extension: string]: unknown }): boolean =>
  String(event['simpultest']) === 'true';
