import { headerText, shownEvent } from '#event';
import { eventText, type Encoding, type ReadEvent } from '#reading';
import { HeaderLines } from './header-lines.js';
import type { WebhookEndpoint, WebhookMessage } from './port.js';

/** The body of a request and its headers, without the signature. The same at every try but for `simpul-try`. */
export interface Form {
  readonly headers: HeaderLines;
  readonly body: Buffer | string;
}

/** The first lines of each mode. `binary` has the content type of its data. */
const BEGIN = {
  structured: 'content-type: application/cloudevents+json; charset=utf-8\r\n',
  batch: 'content-type: application/cloudevents-batch+json; charset=utf-8\r\n',
  binary: '',
};

/**
 * A message in the form that the endpoint asks for (CloudEvents HTTP binding). An event that its reader sees masked has no Avro; it goes as JSON, and its content type
 * says so. undefined: `structured` and `binary` carry exactly one event, and this message has none or several.
 */
export function formOf(
  { mode, data }: Pick<WebhookEndpoint, 'mode' | 'data'>,
  message: WebhookMessage,
): Form | undefined {
  const { events } = message;
  const headers = new HeaderLines(BEGIN[mode]);
  headers.add('webhook-id', message.id);
  headers.add('simpul-subscription', message.subscription);
  headers.add('simpul-try', String(message.try));
  if (mode === 'batch')
    return { headers, body: `[${events.map((event) => eventText(event, encodingOf(event, data))).join(',')}]` };
  const [event] = events;
  if (event === undefined || events.length > 1) return undefined;
  headers.add('simpul-position', event.position);
  if (mode === 'structured') return { headers, body: eventText(event, encodingOf(event, data)) };
  return { headers, body: binary(headers, event, encodingOf(event, data)) };
}

const encodingOf = (event: ReadEvent, data: Encoding): Encoding => (event.stored === undefined ? 'json' : data);

/** What a reader of the stream sees, as headers `ce-…`; the body is the data alone. */
function binary(headers: HeaderLines, event: ReadEvent, encoding: Encoding): Buffer | string {
  const { envelope, stored, position, copyOf } = event;
  const frame = encoding === 'avro' ? stored?.frame : undefined;
  const shown = shownEvent(envelope, { digest: stored?.digest, frame, position, copyOf });
  for (const name in shown) {
    const value = shown[name];
    if (value === undefined || name === 'data_base64') continue;
    if (name === 'datacontenttype') headers.add('content-type', value as string);
    else headers.add(`ce-${name}`, headerText(String(value)));
  }
  return frame ?? JSON.stringify(event.data);
}
