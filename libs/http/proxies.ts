import { BlockList, isIPv4 } from 'node:net';

const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.1/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Whether an address of a socket is one of the proxies that are named as in SIMPUL_TRUST_PROXY. */
export function proxiesOf(trusted: readonly string[]): (address: string) => boolean {
  if (trusted.length === 0) return () => false;
  const list = new BlockList();
  for (const text of trusted.flatMap((name) => NAMED[name] ?? [name])) {
    const [address = '', bits] = text.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = plainAddress(address);
    return plain !== '' && list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  };
}

/** An IPv4 address that arrived on an IPv6 socket, in its own form. */
export function plainAddress(address: string | undefined): string {
  return address?.startsWith('::ffff:') === true && address.includes('.') ? address.slice(7) : (address ?? '');
}
