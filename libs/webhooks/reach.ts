import { contains, parseAddress, specialUse, type Network } from '#networks';

/** Ports of public addresses that webhooks may reach. */
const PUBLIC_PORTS = new Set(['443', '8443']);

/** What makes an address unfit: its use, or how it would be reached. */
export type Unfit = 'address' | 'scheme' | 'port';

/**
 * Why a webhook may not go to this address; undefined: it may. An address of an allowed network may be reached at any port and over http. Every other one must be
 * public, and is reached over https at port 443 or 8443.
 */
export function unfit(allowed: readonly Network[], origin: Origin, text: string): Unfit | undefined {
  const address = parseAddress(text);
  if (address === undefined) return 'address';
  if (allowed.some((network) => contains(network, address))) return undefined;
  if (specialUse(address) !== undefined) return 'address';
  if (origin.protocol !== 'https:') return 'scheme';
  return PUBLIC_PORTS.has(origin.port === '' ? '443' : origin.port) ? undefined : 'port';
}

/** Of a URL: `port` is empty when it is the one of the scheme. */
export interface Origin {
  readonly protocol: string;
  readonly port: string;
}
