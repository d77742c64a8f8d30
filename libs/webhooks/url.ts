import { isIP } from 'node:net';
import type { Text } from '#faults';
import type { Network } from '#networks';
import type { Lookup } from './lookup.js';
import { unfit, type Unfit } from './reach.js';
import { texts } from './texts.js';

/** Code of the error when a URL cannot be the target of a webhook. */
export const URL_REFUSED = 'URL_REFUSED';

const MOST_CHARACTERS = 2_048;

/** Whether a URL may be the target of a webhook. `url`: as it is sent to; `expected`: what would be accepted. */
export type UrlCheck =
  { readonly ok: true; readonly url: string } | { readonly ok: false; readonly reason: Text; readonly expected: Text };

/** A URL by the WHATWG rules, without its origin being judged. The text says what is wrong. */
export function parseUrl(text: string): URL | Text {
  if (text.length > MOST_CHARACTERS) return texts.url_too_long({ most: MOST_CHARACTERS });
  const url = URL.parse(text);
  if (url === null) return texts.url_invalid();
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return texts.url_scheme({ scheme: url.protocol });
  if (url.username !== '' || url.password !== '') return texts.url_credentials();
  if (url.hash !== '' || text.includes('#')) return texts.url_fragment();
  return url;
}

/**
 * As the door of the subscriptions asks. A name is looked up: one of its addresses in no allowed network and not public refuses the URL. A name that cannot be looked
 * up now is accepted with https and a port of public addresses; each connection checks again.
 */
export async function checkUrl(text: string, allowed: readonly Network[], lookup: Lookup): Promise<UrlCheck> {
  const url = parseUrl(text);
  if (!(url instanceof URL)) return no(url);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  let addresses: readonly string[] = [host];
  if (isIP(host) === 0) addresses = await lookup(host).catch(() => []);
  // For a name without an address: what a public one would be told.
  if (addresses.length === 0) addresses = ['1.1.1.1'];
  for (const address of addresses) {
    const wrong = unfit(allowed, url, address);
    if (wrong !== undefined) return no(REASONS[wrong](url));
  }
  return { ok: true, url: url.href };
}

const REASONS: Readonly<Record<Unfit, (url: URL) => Text>> = {
  address: ({ hostname }) => texts.url_address({ host: hostname }),
  scheme: ({ protocol }) => texts.url_scheme({ scheme: protocol }),
  port: ({ port }) => texts.url_port({ port: port || '80' }),
};

const no = (reason: Text): UrlCheck => ({ ok: false, reason, expected: texts.url_expected() });
