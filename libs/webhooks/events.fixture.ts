import { UnitTree } from '#units';
import { catalogueOfFiles, recordOf, type EventSpec } from '../../test/kit/projection/events.js';
import { LoggedEvent, type ReadEvent } from '../reading/read-event.js';
import type { WebhookEndpoint, WebhookMessage } from './port.js';

const catalogue = catalogueOfFiles(1);
let offset = 41n;

/** An event of an invented person, as a reader of this level sees it. */
export function readEvent(spec: Partial<EventSpec> = {}, level: ReadEvent['level'] = 'full'): ReadEvent {
  const data = { nik: '9901010101010001', unitPenerbit: 'SU00123', ...spec.data };
  const { record, partition, stream } = recordOf(catalogue, { type: 'imigrasi.paspor.diterbitkan', ...spec, data });
  const event = LoggedEvent.open(
    { ...record, offset: ++offset, appendTimeMs: 0 } as never,
    { stream, partition, original: undefined },
    catalogue,
  );
  if (!(event instanceof LoggedEvent)) throw new Error('not an event');
  event.levels(new UnitTree(() => '2021-07-15'));
  return event.as(level);
}

export const message = (...events: readonly ReadEvent[]): WebhookMessage => ({
  id: 'msg_0001',
  subscription: 'sub_00000000000000000000',
  events: events.length === 0 ? [readEvent()] : events,
  try: 1,
});

export const SECRET = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');

export const endpoint = (url: string, more: Partial<WebhookEndpoint> = {}): WebhookEndpoint => ({
  url,
  mode: 'structured',
  data: 'json',
  keys: [{ kind: 'v1', secret: SECRET }],
  ...more,
});
