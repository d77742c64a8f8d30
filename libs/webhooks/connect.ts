import { isIP, type LookupFunction, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Network } from '#networks';
import { buildConnector } from 'undici';
import type { Lookup } from './lookup.js';
import { unfit } from './reach.js';

/** Code of the error when an address may not be reached. */
export const ADDRESS_REFUSED = 'ADDRESS_REFUSED';

export interface ConnectOptions {
  readonly allowed: readonly Network[];
  readonly lookup: Lookup;
  readonly timeoutMs: number;
  /** PEM of certificate authorities in the place of those of Node.js. */
  readonly ca?: string | undefined;
}

/** Whose bytes these are. */
const readers = new WeakMap<Socket, (chunk: Buffer) => void>();
/** For all sockets: what is read is looked at at once, and copied where it is kept. A piece of memory for each read costs more than the reading. */
const read = Buffer.allocUnsafeSlow(65_536);
const onread = {
  buffer: read,
  callback(this: Socket, bytes: number): boolean {
    const reader = readers.get(this);
    // Nobody has asked anything yet.
    if (reader === undefined) this.destroy();
    else reader(read.subarray(0, bytes));
    return true;
  },
};

/** Gives the bytes of a socket of guardedConnector() to a reader, which may not keep them. */
export function readFrom(socket: Socket, reader: (chunk: Buffer) => void): void {
  if (socket instanceof TLSSocket) socket.on('data', reader);
  else readers.set(socket, reader);
}

/** Makes a connection and calls once. The socket that it answers is not connected yet. */
export type GuardedConnector = (done: (error: Error | null, socket?: Socket | null) => void) => Socket | undefined;

/**
 * Connects to an origin so that no address is reached that was not checked: the addresses of the name are looked up once for each connection, all of them are
 * checked, and the socket is given these and asks nobody again. Host and the name in TLS stay those of the URL.
 */
export function guardedConnector(origin: URL, options: ConnectOptions): GuardedConnector {
  const { allowed, timeoutMs: timeout, ca } = options;
  const { protocol, port, host: full } = origin;
  // A socket asks for no address when the host is one.
  const hostname = origin.hostname.replace(/^\[(.*)\]$/, '$1');
  const lookup: LookupFunction = (name, asked, done) => {
    void options.lookup(name).then(
      (addresses) => {
        const wrong = addresses.length === 0 || addresses.some((address) => unfit(allowed, origin, address));
        if (wrong) done(refused(name), '', 0);
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
  const connect = buildConnector({
    timeout,
    allowH2: false,
    lookup,
    ...(protocol === 'http:' ? { onread } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
  return (done) => {
    if (isIP(hostname) !== 0 && unfit(allowed, origin, hostname) !== undefined) {
      queueMicrotask(() => done(refused(hostname), null));
      return undefined;
    }
    // It answers the socket, which its types do not say.
    return connect({ hostname, host: full, protocol, port }, done as buildConnector.Callback) as unknown as Socket;
  };
}

function refused(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${host} is not to be reached by webhooks`), { code: ADDRESS_REFUSED });
}
