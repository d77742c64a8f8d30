import { isIP, isIPv4 } from 'node:net';

const NAMED = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** Whether the text names proxies: one address, a network in CIDR form, or one of the named ranges. Host names are refused: their address may change. */
export function isTrustedProxy(text: string): boolean {
  if (NAMED.has(text) || isIP(text) !== 0) return true;
  const [address = '', bits = '', ...rest] = text.split('/');
  if (rest.length > 0 || isIP(address) === 0 || !/^\d{1,3}$/.test(bits)) return false;
  return Number(bits) <= (isIPv4(address) ? 32 : 128);
}
