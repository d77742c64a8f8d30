import type { Text } from '#faults';
import { networkText, parseAddress, parseNetwork, type Network } from './network.js';
import { texts } from './texts.js';

export type NetworkList =
  { readonly ok: true; readonly networks: readonly Network[] } | { readonly ok: false; readonly reason: Text };

/**
 * Networks of an operator, `127.0.0.0/8,10.1.0.0/16,fd00:1::/32`, separated by commas, with spaces around an entry and empty entries allowed. An address whose bits
 * behind the prefix are not zero, and a network that is wider than any private one, are refused: both are slips that open more than was meant.
 */
export function readNetworks(list: string): NetworkList {
  const networks: Network[] = [];
  for (const part of list.split(',')) {
    const entry = part.trim();
    if (entry === '') continue;
    const network = parseNetwork(entry);
    if (network === undefined) return { ok: false, reason: texts.not_a_network({ entry }) };
    if (network.bits < (network.family === 4 ? 8 : 7)) return { ok: false, reason: texts.network_too_wide({ entry }) };
    if (parseAddress(entry.replace(/\/.*/, ''))!.value !== network.value)
      return { ok: false, reason: texts.network_cut({ entry, network: networkText(network) }) };
    networks.push(network);
  }
  return { ok: true, networks };
}
