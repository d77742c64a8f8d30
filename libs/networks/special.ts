import { contains, networkText, parseNetwork, type Address, type Network } from './network.js';

/**
 * Networks whose addresses are not public. The first row that holds an address names it. IPv4 by the registry of RFC 6890; of IPv6 everything outside 2000::/3
 * is special, so a range that is assigned later is too.
 */
const TABLE = [
  ['0.0.0.0/32', 'unspecified'], // RFC 1122; Linux connects to this machine
  ['0.0.0.0/8', 'this_network'], // RFC 1122
  ['10.0.0.0/8', 'private'], // RFC 1918
  ['100.64.0.0/10', 'shared'], // RFC 6598: carrier-grade NAT, also inner networks of clouds
  ['127.0.0.0/8', 'loopback'], // RFC 1122
  ['169.254.0.0/16', 'link_local'], // RFC 3927: also the metadata service of clouds
  ['172.16.0.0/12', 'private'], // RFC 1918
  ['192.0.0.0/24', 'protocol'], // RFC 6890: also the metadata service of one cloud
  ['192.0.2.0/24', 'documentation'], // RFC 5737
  ['192.88.99.0/24', 'six_to_four'], // RFC 7526
  ['192.168.0.0/16', 'private'], // RFC 1918
  ['198.18.0.0/15', 'benchmark'], // RFC 2544
  ['198.51.100.0/24', 'documentation'], // RFC 5737
  ['203.0.113.0/24', 'documentation'], // RFC 5737
  ['224.0.0.0/4', 'multicast'], // RFC 5771
  ['255.255.255.255/32', 'broadcast'], // RFC 919
  ['240.0.0.0/4', 'reserved'], // RFC 1112
  ['::/128', 'unspecified'], // RFC 4291
  ['::1/128', 'loopback'], // RFC 4291
  ['::ffff:0:0/96', 'v4_mapped'], // RFC 4291
  ['::ffff:0:0:0/96', 'v4_translated'], // RFC 2765
  ['::/96', 'v4_compatible'], // RFC 4291
  ['64:ff9b::/96', 'nat64'], // RFC 6052
  ['64:ff9b:1::/48', 'nat64'], // RFC 8215
  ['100::/64', 'discard'], // RFC 6666
  ['2001::/32', 'teredo'], // RFC 4380
  ['2001:2::/48', 'benchmark'], // RFC 5180
  ['2001::/23', 'protocol'], // RFC 2928, with ORCHID (RFC 4843, RFC 7343)
  ['2001:db8::/32', 'documentation'], // RFC 3849
  ['2002::/16', 'six_to_four'], // RFC 3056
  ['3ffe::/16', 'reserved'], // RFC 3701: the 6bone, given back
  ['3fff::/20', 'documentation'], // RFC 9637
  ['5f00::/16', 'segment_routing'], // RFC 9602
  ['fc00::/7', 'private'], // RFC 4193
  ['fe80::/10', 'link_local'], // RFC 4291
  ['fec0::/10', 'private'], // RFC 3879
  ['ff00::/8', 'multicast'], // RFC 4291
  ['::/3', 'reserved'], // RFC 4291: only 2000::/3 is global unicast
  ['4000::/2', 'reserved'],
  ['8000::/1', 'reserved'],
] as const;

const ROWS: readonly { readonly network: Network; readonly use: string }[] = TABLE.map(([text, use]) => ({
  network: parseNetwork(text)!,
  use,
}));

/** What an address is for, as a code (`loopback`, `private`, `nat64`, …). undefined: it is a public unicast address. */
export function specialUse(address: Address): string | undefined {
  return ROWS.find(({ network }) => contains(network, address))?.use;
}

/** The table of {@link specialUse}, in its order, in CIDR form. */
export const SPECIAL_NETWORKS: readonly { readonly network: string; readonly use: string }[] = ROWS.map(
  ({ network, use }) => ({ network: networkText(network), use }),
);
