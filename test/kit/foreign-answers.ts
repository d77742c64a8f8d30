import type { ServerResponse } from 'node:http';

type Foreign = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> };

const html = { 'content-type': 'text/html' };
const json = { 'content-type': 'application/json' };

/** What stands between a unit and the hub may answer for it. A text is sent as it is, as JSON with 200. */
export const FOREIGN: readonly (readonly [what: string, answer: Foreign | string])[] = [
  ['404 HTML of an ingress', { status: 404, body: 'default backend - 404', headers: html }],
  ['404 JSON of a gateway', { status: 404, body: { message: 'no Route matched' }, headers: json }],
  ['404 problem document without a code', { status: 404, body: { title: 'Not Found', status: 404 } }],
  [
    '404 problem document with a code of its own',
    { status: 404, body: { code: 'NOT_FOUND', title: 'x', status: 404 } },
  ],
  [
    '404 problem document of another service, with a code that the hub has too',
    { status: 404, body: { type: 'https://gateway.example/errors/not_found', code: 'not_found', status: 404 } },
  ],
  [
    '404 problem document without a type, with a code that the hub has too',
    { status: 404, body: { code: 'not_found', title: 'Not Found', status: 404 } },
  ],
  ['403 problem document with nothing but a code', { status: 403, body: { code: 'forbidden' } }],
  [
    '403 problem document of a firewall',
    { status: 403, body: { type: 'about:blank', code: 'forbidden', title: 'Forbidden', status: 403 } },
  ],
  [
    '409 problem document of another service',
    { status: 409, body: { type: '/problems/conflict', code: 'conflict', status: 409 } },
  ],
  [
    'the problem document of another status',
    { status: 404, body: { type: '/docs/errors#not_found', code: 'not_found', status: 502 } },
  ],
  [
    '404 JSON with lists',
    {
      status: 404,
      body: {
        entries: [],
        events: [],
        streams: [],
        units: [],
        types: [],
        keys: [],
        views: [],
        refusals: [],
        next: 'x',
      },
      headers: json,
    },
  ],
  ['403 HTML of a firewall', { status: 403, body: 'blocked', headers: html }],
  ['403 JSON with results', { status: 403, body: { results: [], position: 'p' }, headers: json }],
  ['413 of a proxy', { status: 413, body: 'too large', headers: html }],
  ['401 of a proxy', { status: 401, body: 'login', headers: html }],
  ['a login page with 200', { status: 200, body: '<html>', headers: html }],
  ['JSON of another form with 200', { status: 200, body: { status: 'ok' }, headers: json }],
  ['an empty object with 200', { status: 200, body: {}, headers: json }],
  ['a list with 200', { status: 200, body: [], headers: json }],
  ['a redirect', { status: 302, headers: { location: '/login' } }],
  ['a permanent redirect', { status: 301, headers: { location: '/' } }],
  ['520 HTML of a content delivery network', { status: 520, body: 'unknown error', headers: html }],
  ['418, which nobody expects', { status: 418, body: { code: 'teapot' }, headers: json }],
  ['299, which nobody expects', { status: 299, body: { ok: true }, headers: json }],
  ['304 without having asked', { status: 304 }],
  ['cut JSON with 200', '{"key":"C-1","val'],
  ['an empty answer with 200', ''],
];

/** Gives an answer of the list in a script of `scriptedHub`. */
export function giveForeign(answer: Foreign | string, res: ServerResponse): Foreign | undefined {
  if (typeof answer !== 'string') return withoutType(answer);
  res.writeHead(200, json);
  res.end(answer);
  return undefined;
}

/** A scripted hub gives its own problem documents a `type`; a foreign one has the type that the list gives it. */
function withoutType({ body, ...rest }: Foreign): Foreign {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { body, ...rest };
  return { ...rest, body: { type: undefined, ...body } };
}
