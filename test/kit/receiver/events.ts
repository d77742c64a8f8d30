import type { IncomingHttpHeaders } from 'node:http';
import type { ReceivedEvent } from './script.js';

/** The attributes of the events of a request, read without the code of the hub. A body that is no CloudEvent has none. */
export function eventsOf(headers: IncomingHttpHeaders, body: Buffer): readonly ReceivedEvent[] {
  if (headers['ce-id'] !== undefined) return [eventOf((name) => decoded(headers[`ce-${name}`]))];
  try {
    const parsed = JSON.parse(body.toString()) as Record<string, unknown> | Record<string, unknown>[];
    return (Array.isArray(parsed) ? parsed : [parsed]).map((event) => eventOf((name) => event[name]));
  } catch {
    return [];
  }
}

function eventOf(get: (name: string) => unknown): ReceivedEvent {
  const text = (name: string): string | undefined => {
    const value = get(name);
    return typeof value === 'string' ? value : undefined;
  };
  return {
    source: text('source') ?? '',
    id: text('id') ?? '',
    type: text('type') ?? '',
    subject: text('subject'),
    position: text('position'),
  };
}

const decoded = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? decodeURIComponent(value) : undefined;
