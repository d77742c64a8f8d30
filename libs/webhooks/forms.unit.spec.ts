import { describe, expect, it } from '@jest/globals';
import { CloudEvent, HTTP } from 'cloudevents';
import { eventText } from '#reading';
import { message, readEvent } from './events.fixture.js';
import { formOf } from './forms.js';
import type { WebhookEndpoint, WebhookMessage } from './port.js';

type Parsed = CloudEvent<Record<string, unknown>>;

function headersOf(form: { readonly headers: { readonly text: string } }): Record<string, string> {
  const lines = form.headers.text.split('\r\n').slice(0, -1);
  return Object.fromEntries(lines.map((line) => line.split(/: (.*)/).slice(0, 2))) as Record<string, string>;
}

/** A request, and its events as npm cloudevents reads them. */
function made(mode: WebhookEndpoint['mode'], data: WebhookEndpoint['data'], sent: WebhookMessage) {
  const form = formOf({ mode, data }, sent)!;
  const headers = headersOf(form);
  const isBytes = /^application\/avro/.test(headers['content-type']!);
  const body = isBytes ? form.body : form.body.toString();
  const events = HTTP.toEvent<Record<string, unknown>>({ headers, body });
  return { headers, body: form.body, events: [events].flat() as Parsed[] };
}

const event = readEvent({
  id: 'P "1" – 50%',
  unitkode: 'KNM 1',
  extensions: { urutanunit: '7', korelasi: 'Jalan Pañji' },
});
const masked = readEvent({}, 'masked');

describe('a webhook', () => {
  it('in structured mode is the event as the read door shows it, and npm cloudevents reads it', () => {
    const { headers, body, events } = made('structured', 'json', message(event));
    expect(body.toString()).toBe(eventText(event, 'json'));
    expect(headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'webhook-id': 'msg_0001',
      'simpul-subscription': 'sub_00000000000000000000',
      'simpul-position': event.position,
      'simpul-try': '1',
    });
    const shown = {
      id: 'P "1" – 50%',
      korelasi: 'Jalan Pañji',
      position: event.position,
      subject: event.envelope.subject,
    };
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ ...shown, data: event.data });
  });

  it('in binary mode has the same attributes in headers, and the data alone as its body', () => {
    const { headers, body, events } = made('binary', 'json', message(event));
    expect(headers['content-type']).toBe('application/json');
    expect(headers['ce-id']).toBe('P%20%221%22%20%E2%80%93%2050%25');
    expect(headers['ce-datacontenttype']).toBeUndefined();
    expect(headers['simpul-position']).toBe(event.position);
    expect(JSON.parse(body.toString())).toEqual(event.data);
    const decoded = Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith('ce-') ? [[name.slice(3), decodeURIComponent(value)]] : [],
    );
    const { data, datacontenttype, ...attributes } = JSON.parse(eventText(event, 'json')) as Record<string, unknown>;
    expect(Object.fromEntries(decoded)).toEqual(attributes);
    expect(events[0]).toMatchObject({
      type: event.envelope.type,
      source: event.envelope.source,
      datacontenttype,
      data,
    });
  });

  it('has Avro as the frame of the log, in base64 where the form is JSON', () => {
    const { frame } = event.stored!;
    const structured = made('structured', 'avro', message(event)).events[0]!;
    expect(structured).toMatchObject({ datacontenttype: 'application/avro', data_base64: frame.toString('base64') });
    const { headers, body } = made('binary', 'avro', message(event));
    expect([headers['content-type'], body]).toEqual(['application/avro', frame]);
  });

  it('in batch mode is a list of events in their order, also with one', () => {
    const other = readEvent();
    const { headers, events } = made('batch', 'json', message(event, other));
    expect(headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
    expect(headers['simpul-position']).toBeUndefined();
    expect(events.map((e) => e['position'])).toEqual([event.position, other.position]);
    expect(made('batch', 'json', message(other)).events).toHaveLength(1);
  });

  it('that its reader sees masked has no Avro and no digest: it goes as JSON and says so, alone in its batch too', () => {
    const { headers, body } = made('binary', 'avro', message(masked));
    expect(headers['content-type']).toBe('application/json');
    expect(headers['ce-digest']).toBeUndefined();
    expect(JSON.parse(body.toString())).toEqual(masked.data);
    expect(made('structured', 'avro', message(masked)).events[0]).toMatchObject({
      datacontenttype: 'application/json',
    });
    const types = made('batch', 'avro', message(event, masked)).events.map((e) => e.datacontenttype);
    expect(types).toEqual(['application/avro', 'application/json']);
  });

  it('carries exactly one event outside of the batch mode', () => {
    for (const mode of ['structured', 'binary'] as const)
      for (const events of [[], [event, masked]])
        expect(formOf({ mode, data: 'json' }, { ...message(), events })).toBeUndefined();
  });
});
