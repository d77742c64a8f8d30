import { isIPv4, isIPv6 } from 'node:net';

/** An IP address as a number of 32 or 128 bits. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** The addresses that agree with `value` in the first `bits` bits. */
export interface Network extends Address {
  readonly bits: number;
}

/** undefined: not an IPv4 address of four decimal numbers, nor an IPv6 address. One with a zone (`%eth0`) is none, because its meaning depends on the machine. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: text.split('.').reduce((n, part) => (n << 8n) | BigInt(part), 0n) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  // The URL parser writes every form, also with an IPv4 tail, as groups of hex digits.
  const [before = '', after] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return { family: 6, value: groups.reduce((n, group) => (n << 16n) | BigInt(`0x${group}`), 0n) };
}

/** `10.1.0.0/16`, `fc00::/7`, or one address. undefined: neither. Bits behind the prefix are left out. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const parsed = parseAddress(address);
  if (parsed === undefined) return undefined;
  const width = widthOf(parsed);
  const bits = length === undefined ? width : Number(length);
  if (bits > width) return undefined;
  const behind = BigInt(width - bits);
  return { family: parsed.family, value: (parsed.value >> behind) << behind, bits };
}

/** Whether the address is in the network. An IPv4-mapped address (`::ffff:10.0.0.1`) is not in a network of IPv4. */
export function contains({ family, value, bits }: Network, address: Address): boolean {
  const behind = BigInt(widthOf({ family }) - bits);
  return family === address.family && address.value >> behind === value >> behind;
}

/** In CIDR form. */
export function networkText({ family, value, bits }: Network): string {
  const part = (n: number, size: bigint): bigint => (value >> (BigInt(n) * size)) & ((1n << size) - 1n);
  if (family === 4) return `${[3, 2, 1, 0].map((n) => part(n, 8n)).join('.')}/${bits}`;
  const groups = [7, 6, 5, 4, 3, 2, 1, 0].map((n) => part(n, 16n).toString(16));
  return `${new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)}/${bits}`;
}

const widthOf = ({ family }: Pick<Address, 'family'>): 32 | 128 => (family === 4 ? 32 : 128);
