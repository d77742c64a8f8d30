import { headerOf, type HeaderValues } from './headers.js';
import type { WebhookOptions } from './options.js';
import { problem, type WebhookAnswer } from './outcomes.js';

/**
 * The answer to a hub that asks whether it may send (CloudEvents HTTP webhook, section 4). `WebHook-Request-Callback` is not followed: it would send this app to an address that
 * somebody names.
 */
export function handshakeAnswer(
  headers: HeaderValues,
  { origins, requestsPerMinute }: Pick<WebhookOptions, 'origins' | 'requestsPerMinute'>,
): WebhookAnswer {
  if (origins === undefined) return problem(405, 'method_not_allowed', undefined, { allow: 'POST' });
  const origin = headerOf(headers, 'webhook-request-origin')?.trim().toLowerCase();
  const named = origins.map((name) => name.toLowerCase());
  if (origin === undefined || origin === '')
    return problem(400, 'origin_missing', undefined, { allow: 'POST, OPTIONS' });
  if (!named.includes('*') && !named.includes(origin)) return problem(403, 'origin_not_allowed');
  return {
    status: 200,
    headers: {
      allow: 'POST, OPTIONS',
      'webhook-allowed-origin': named.includes('*') ? '*' : origin,
      ...(requestsPerMinute === undefined ? {} : { 'webhook-allowed-rate': String(requestsPerMinute) }),
    },
    body: '',
  };
}
