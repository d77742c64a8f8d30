import { Fault } from '#faults';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

interface Login {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/** The nodes, the credentials and the database of a Redis deployment. */
export type RedisAddress = Login &
  (
    | ({ readonly kind: 'server'; readonly db: number } & HostPort)
    | {
        readonly kind: 'sentinel';
        readonly nodes: readonly HostPort[];
        readonly name: string;
        readonly db: number;
        readonly sentinelUsername?: string;
        readonly sentinelPassword?: string;
      }
    | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] }
  );

const ADDRESS = /^(?:([a-z+]+):\/\/)?(?:([^@]*)@)?([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/s;
const SCHEMES: Readonly<
  Record<string, { readonly kind: RedisAddress['kind']; readonly tls: boolean; readonly port: number }>
> = {
  redis: { kind: 'server', tls: false, port: 6379 },
  rediss: { kind: 'server', tls: true, port: 6379 },
  sentinel: { kind: 'sentinel', tls: false, port: 26379 },
  'sentinel+tls': { kind: 'sentinel', tls: true, port: 26379 },
  cluster: { kind: 'cluster', tls: false, port: 6379 },
  'cluster+tls': { kind: 'cluster', tls: true, port: 6379 },
};
const FORMS = 'redis://, rediss://, sentinel://h:p,h:p/name, cluster://h:p,h:p (the last two also as +tls)';

function refuse(reason: string): never {
  // The text must not contain the address: it may have a password.
  throw new Fault('invalid_settings', { detail: `Redis address: ${reason}; forms: ${FORMS}` });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('bad percent-encoding');
  }
}

function hostPort(text: string, port: number): HostPort {
  const m = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  if (m === null) return refuse('a host is not host or host:port');
  const at = m[2] === undefined ? port : Number(m[2]);
  if (at < 1 || at > 65_535) refuse('a port is not between 1 and 65535');
  return { host: m[1]!.replace(/^\[|\]$/g, ''), port: at };
}

function login(text: string | undefined, as: 'username' | 'sentinelUsername' = 'username'): Record<string, string> {
  if (text === undefined || text === '') return {};
  const colon = text.indexOf(':');
  const user = decode(colon < 0 ? text : text.slice(0, colon));
  const password = colon < 0 ? '' : decode(text.slice(colon + 1));
  const passwordAs = as === 'username' ? 'password' : 'sentinelPassword';
  return { ...(user === '' ? {} : { [as]: user }), ...(password === '' ? {} : { [passwordAs]: password }) };
}

function database(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,4}$/.test(text)) refuse('the database is not a number');
  return Number(text);
}

/**
 * Parses a Redis address: `[redis://][user:password@]host[:port][/db]`, `rediss://…`, `sentinel://[user:password@]h[:p],h[:p]/name[?db=1&sentinel=user:password]`,
 * `cluster://[user:password@]h[:p],h[:p]`; `sentinel+tls://` and `cluster+tls://` for TLS. User and password are percent-encoded.
 * Throws Fault `invalid_settings`; its text does not contain the address, so it leaks no password.
 */
export function parseRedisAddress(text: string): RedisAddress {
  const m = ADDRESS.exec(text.trim());
  if (m === null) return refuse('not understood');
  const [, scheme = 'redis', auth, hosts = '', path, query = ''] = m;
  const known = SCHEMES[scheme] ?? refuse('unknown scheme');
  const parameters = new URLSearchParams(query);
  for (const key of parameters.keys()) {
    if (known.kind !== 'sentinel' || (key !== 'db' && key !== 'sentinel')) refuse('unknown option');
  }
  const base = { ...login(auth), tls: known.tls };
  const nodes = hosts.split(',').map((host) => hostPort(host, known.port));
  if (known.kind === 'sentinel') {
    if (path === undefined || path === '') return refuse('the name of the master is missing');
    const sentinel = login(parameters.get('sentinel') ?? undefined, 'sentinelUsername');
    return {
      kind: 'sentinel',
      nodes,
      name: decode(path),
      db: database(parameters.get('db') ?? undefined),
      ...base,
      ...sentinel,
    };
  }
  if (known.kind === 'cluster') {
    if (path !== undefined && path !== '') refuse('a cluster has no databases');
    return { kind: 'cluster', nodes, ...base };
  }
  if (nodes.length > 1) refuse('several hosts need sentinel:// or cluster://');
  return { kind: 'server', ...nodes[0]!, db: database(path), ...base };
}
