import { describe, expect, it } from '@jest/globals';
import { contains, openNetworkText, parseAddress, parseNetwork, readOpenNetworks, specialUse } from './index.js';

const useOf = (text: string): string | undefined => specialUse(parseAddress(text)!);

describe('special addresses', () => {
  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'this_network'],
    ['10.255.255.255', 'private'],
    ['100.64.0.1', 'shared'],
    ['100.127.255.255', 'shared'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['169.254.169.254', 'link_local'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.192', 'protocol'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', 'six_to_four'],
    ['192.168.1.1', 'private'],
    ['198.19.255.255', 'benchmark'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['0:0:0:0:0:0:0:1', 'loopback'],
    ['::ffff:127.0.0.1', 'v4_mapped'],
    ['::ffff:8.8.8.8', 'v4_mapped'],
    ['::ffff:0:127.0.0.1', 'v4_translated'],
    ['::127.0.0.1', 'v4_compatible'],
    ['64:ff9b::7f00:1', 'nat64'],
    ['64:ff9b::8.8.8.8', 'nat64'],
    ['64:ff9b:1:ffff::1', 'nat64'],
    ['64:ff9b:2::1', 'reserved'],
    ['100::1', 'discard'],
    ['2001::1', 'teredo'],
    ['2001:2::1', 'benchmark'],
    ['2001:20::1', 'protocol'],
    ['2001:db8::1', 'documentation'],
    ['2002:7f00:1::', 'six_to_four'],
    ['3fff:fff::1', 'documentation'],
    ['5f00::1', 'segment_routing'],
    ['fd00::1', 'private'],
    ['fe80::1', 'link_local'],
    ['fec0::1', 'private'],
    ['ff02::1', 'multicast'],
    ['4000::1', 'reserved'],
    ['9000::1', 'reserved'],
  ])('%s is %s', (address, use) => {
    expect(useOf(address)).toBe(use);
  });

  it.each([
    ...['1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
    ...['169.253.255.255', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255', '198.17.255.255'],
    ...['198.20.0.0', '223.255.255.255', '2001:200::1', '2404:6800:4003::1', '2606:4700::1111', '3ffd::1'],
  ])('%s is public', (address) => {
    expect(useOf(address)).toBeUndefined();
  });

  it.each(['127.1', '0x7f.1', '2130706433', '127.0.0.01', 'localhost', 'fe80::1%eth0', '', '1.2.3.4.5', '[::1]'])(
    '%p is no address',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
});

describe('networks', () => {
  it('hold what agrees in their prefix, of their own family', () => {
    const holds = (network: string, address: string) => contains(parseNetwork(network)!, parseAddress(address)!);
    expect(holds('10.1.0.0/16', '10.1.255.255')).toBe(true);
    expect(holds('10.1.0.0/16', '10.2.0.0')).toBe(false);
    expect(holds('10.1.2.3', '10.1.2.3')).toBe(true);
    expect(holds('10.1.2.3', '10.1.2.4')).toBe(false);
    expect(holds('127.0.0.0/8', '::ffff:127.0.0.1')).toBe(false);
    expect(holds('::/0', '127.0.0.1')).toBe(false);
    expect(holds('fd00:1::/32', 'fd00:1:ffff::1')).toBe(true);
  });

  it.each(['10.1.0.0/33', 'fd00::/129', '10.1.0.0/', '10.1.0.0/8/8', '10.1.0.0/-1', '/8', 'localhost/8', '10.1/16'])(
    'that are none are not taken: %p',
    (text) => {
      expect(parseNetwork(text)).toBeUndefined();
    },
  );

  it('of an operator are a list with commas', () => {
    const list = readOpenNetworks(' 127.0.0.0/8, 10.1.0.0/16,,fd00:1::/32,::1 ');
    expect(list.ok && list.networks.map(openNetworkText)).toEqual([
      '127.0.0.0/8',
      '10.1.0.0/16',
      'fd00:1::/32',
      '::1/128',
    ]);
    expect(readOpenNetworks('')).toEqual({ ok: true, networks: [] });
  });

  it('of single units and parties stand in the same list', () => {
    const list = readOpenNetworks('10.1.0.0/16, SU00518=10.2.0.0/24,EXT-BANK = fd00:1::/32');
    expect(list.ok && list.networks.map(openNetworkText)).toEqual([
      '10.1.0.0/16',
      'SU00518=10.2.0.0/24',
      'EXT-BANK=fd00:1::/32',
    ]);
  });

  it.each([
    ['LAPAS1=10.2.0.0/24', 'in front of the sign = stands the id of a unit'],
    ['=10.2.0.0/24', 'in front of the sign = stands the id of a unit'],
    ['SU00518=', ': not an IP address or a network in CIDR form'],
    ['SU00518=SU00519=10.2.0.0/24', 'not an IP address or a network in CIDR form'],
    ['SU00518=10.2.3.4/24', 'write 10.2.3.0/24'],
    ['SU00518=10.2.0.0/24,10.3.0.0/24', '10.3.0.0/24: networks for all stand in front of those of units'],
  ])('%p is no network of a unit', (list, reason) => {
    const read = readOpenNetworks(list);
    expect(read.ok || read.reason.in('en')).toContain(reason);
  });

  it.each([
    ['10.0.0.0/8,hub.internal', 'hub.internal: not an IP address or a network in CIDR form'],
    ['10.1.2.3/16', '10.1.2.3/16: the address is not the first of the network; write 10.1.0.0/16'],
    ['fd00:1:2::/32', 'fd00:1:2::/32: the address is not the first of the network; write fd00:1::/32'],
    ['0.0.0.0/0', '0.0.0.0/0: too wide; the widest is /8 (IPv4) or /7 (IPv6)'],
    ['::/0', '::/0: too wide; the widest is /8 (IPv4) or /7 (IPv6)'],
  ])('%p is refused with what is wrong', (list, reason) => {
    const read = readOpenNetworks(list);
    expect(read.ok || read.reason.in('en')).toBe(reason);
  });
});
