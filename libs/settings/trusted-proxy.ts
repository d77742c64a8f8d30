import { parseNetwork } from '#networks';

const NAMED = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** Whether the text names proxies: one address, a network in CIDR form, or one of the named ranges. Host names are refused: their address may change. */
export function isTrustedProxy(text: string): boolean {
  return NAMED.has(text) || parseNetwork(text) !== undefined;
}
