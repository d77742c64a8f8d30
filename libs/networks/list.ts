import type { Text } from '#faults';
import { networkText, parseAddress, parseNetwork, type Network } from './network.js';
import { texts } from './texts.js';

/** A network that an operator has opened. `unit`: only for this unit, or party, and the units below it; undefined: for all. */
export interface OpenNetwork {
  readonly network: Network;
  readonly unit: string | undefined;
}

export type OpenNetworkList =
  { readonly ok: true; readonly networks: readonly OpenNetwork[] } | { readonly ok: false; readonly reason: Text };

/**
 * Networks that an operator opens, `10.1.0.0/16,fd00:1::/32,SU00518=10.2.0.0/24`, separated by commas, with spaces around an entry and empty entries allowed. Slips that
 * open more than was meant are refused: an address whose bits behind the prefix are not zero, a network that is wider than any private one, and a network for all behind
 * one of a unit.
 */
export function readOpenNetworks(list: string): OpenNetworkList {
  const networks: OpenNetwork[] = [];
  for (const entry of entriesOf(list)) {
    const [, unit, text = entry] = /^([^=]*?)\s*=\s*(.*)$/.exec(entry) ?? [];
    if (unit !== undefined && !OWNER.test(unit)) return { ok: false, reason: texts.not_a_unit({ entry }) };
    const network = networkOf(text);
    if ('reason' in network) return { ok: false, reason: network.reason };
    // `SU00518=10.2.0.0/24,10.3.0.0/24` may have been meant for that unit.
    if (unit === undefined && networks.at(-1)?.unit !== undefined)
      return { ok: false, reason: texts.network_for_all_behind({ entry }) };
    networks.push({ network, unit });
  }
  return { ok: true, networks };
}

/** As readOpenNetworks() reads it. */
export const openNetworkText = ({ network, unit }: OpenNetwork): string =>
  unit === undefined ? networkText(network) : `${unit}=${networkText(network)}`;

/** Who may own a subscription: a unit or an external party. */
const OWNER = /^(SU\d{5,9}|EXT-[A-Z0-9-]+)$/;

const entriesOf = (list: string): readonly string[] =>
  list
    .split(',')
    .map((part) => part.trim())
    .filter((entry) => entry !== '');

function networkOf(entry: string): Network | { readonly reason: Text } {
  const network = parseNetwork(entry);
  if (network === undefined) return { reason: texts.not_a_network({ entry }) };
  if (network.bits < (network.family === 4 ? 8 : 7)) return { reason: texts.network_too_wide({ entry }) };
  if (parseAddress(entry.replace(/\/.*/, ''))!.value !== network.value)
    return { reason: texts.network_cut({ entry, network: networkText(network) }) };
  return network;
}
