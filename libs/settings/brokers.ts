import { isIPv4, isIPv6 } from 'node:net';
import type { Text } from '#faults';
import { texts } from './texts.js';

const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;

export type BrokerList =
  { readonly ok: true; readonly brokers: readonly string[] } | { readonly ok: false; readonly reason: Text };

/**
 * The one reading of a list of brokers, for every client of the hub: `host:port` or `[IPv6]:port`, separated by commas, with spaces around an entry and
 * empty entries allowed. Everything else is refused with the entry in the reason, because two clients would read it in two ways.
 */
export function readBrokers(list: string): BrokerList {
  const brokers: string[] = [];
  for (const part of list.split(',')) {
    const entry = part.trim();
    if (entry === '') continue;
    const reason = wrongWith(entry);
    if (reason) return { ok: false, reason };
    if (!brokers.includes(entry)) brokers.push(entry);
  }
  return brokers.length > 0 ? { ok: true, brokers } : { ok: false, reason: texts.no_broker() };
}

function wrongWith(entry: string): Text | undefined {
  if (entry.includes('://')) return texts.broker_with_scheme({ entry });
  const cut = entry.lastIndexOf(':');
  const host = cut < 0 ? entry : entry.slice(0, cut);
  const port = cut < 0 ? '' : entry.slice(cut + 1);
  if (isIPv6(entry) || isIPv6(host)) return texts.broker_ipv6({ entry });
  if (cut < 0) return texts.broker_without_port({ entry });
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) return texts.broker_without_port({ entry });
  const isAddress = host.startsWith('[') && host.endsWith(']') && isIPv6(host.slice(1, -1));
  return isAddress || isIPv4(host) || HOST.test(host) ? undefined : texts.broker_host({ entry });
}
