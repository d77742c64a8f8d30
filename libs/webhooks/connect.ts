import { isIP, type LookupFunction } from 'node:net';
import type { Network } from '#networks';
import { buildConnector } from 'undici';
import type { Lookup } from './lookup.js';
import { unfit, type Origin } from './reach.js';

/** Code of the error when an address may not be reached. */
export const ADDRESS_REFUSED = 'ADDRESS_REFUSED';

export interface ConnectOptions {
  readonly allowed: readonly Network[];
  readonly lookup: Lookup;
  readonly timeoutMs: number;
  /** PEM of certificate authorities in the place of those of Node.js. */
  readonly ca?: string | undefined;
}

/**
 * Connects to an origin so that no address is reached that was not checked: the addresses of the name are looked up once for each connection, all of them are
 * checked, and the socket is given these and asks nobody again. Host and the name in TLS stay those of the URL.
 */
export function guardedConnector(origin: Origin, options: ConnectOptions): buildConnector.connector {
  const { allowed, timeoutMs: timeout, ca } = options;
  const lookup: LookupFunction = (hostname, asked, done) => {
    void options.lookup(hostname).then(
      (addresses) => {
        const wrong = addresses.length === 0 || addresses.some((address) => unfit(allowed, origin, address));
        if (wrong) done(refused(hostname), '', 0);
        else if (asked.all)
          done(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          );
        else done(null, addresses[0]!, isIP(addresses[0]!));
      },
      (e: NodeJS.ErrnoException) => done(e, '', 0),
    );
  };
  const connect = buildConnector({ timeout, allowH2: false, lookup, ...(ca === undefined ? {} : { ca }) });
  return (target, done) => {
    // A socket asks for no address when the host is one.
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(host) !== 0 && unfit(allowed, origin, host) !== undefined) queueMicrotask(() => done(refused(host), null));
    else connect(target, done);
  };
}

function refused(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${host} is not to be reached by webhooks`), { code: ADDRESS_REFUSED });
}
