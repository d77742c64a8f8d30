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

/** Where Redis is, and how to get in. */
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

const FORM = /^(?:([a-z+]+):\/\/)?(?:([^@]*)@)?([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/s;
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

function wrong(reason: string): never {
  // never the address itself: it may hold a password
  throw new Fault('invalid_settings', { detail: `Redis address: ${reason}; forms: ${FORMS}` });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return wrong('bad percent-encoding');
  }
}

function hostPort(text: string, port: number): HostPort {
  const m = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  if (m === null) return wrong('a host is not host or host:port');
  const at = m[2] === undefined ? port : Number(m[2]);
  if (at < 1 || at > 65_535) wrong('a port is not between 1 and 65535');
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
  if (!/^\d{1,4}$/.test(text)) wrong('the database is not a number');
  return Number(text);
}

/**
 * Reads an address: `[redis://][user:password@]host[:port][/db]`, `rediss://…`, `sentinel://[user:password@]h[:p],h[:p]/name[?db=1&sentinel=user:password]`,
 * `cluster://[user:password@]h[:p],h[:p]`; `sentinel+tls://` and `cluster+tls://` for TLS. User and password are percent-encoded.
 * Throws Fault `invalid_settings`, without the address in its text.
 */
export function parseRedisAddress(text: string): RedisAddress {
  const m = FORM.exec(text.trim());
  if (m === null) return wrong('not understood');
  const [, scheme = 'redis', auth, hosts = '', path, query = ''] = m;
  const form = SCHEMES[scheme] ?? wrong('unknown scheme');
  const asked = new URLSearchParams(query);
  for (const key of asked.keys()) {
    if (form.kind !== 'sentinel' || (key !== 'db' && key !== 'sentinel')) wrong('unknown option');
  }
  const base = { ...login(auth), tls: form.tls };
  const nodes = hosts.split(',').map((host) => hostPort(host, form.port));
  if (form.kind === 'sentinel') {
    if (path === undefined || path === '') return wrong('the name of the master is missing');
    const sentinel = login(asked.get('sentinel') ?? undefined, 'sentinelUsername');
    return {
      kind: 'sentinel',
      nodes,
      name: decode(path),
      db: database(asked.get('db') ?? undefined),
      ...base,
      ...sentinel,
    };
  }
  if (form.kind === 'cluster') {
    if (path !== undefined && path !== '') wrong('a cluster has no databases');
    return { kind: 'cluster', nodes, ...base };
  }
  if (nodes.length > 1) wrong('several hosts need sentinel:// or cluster://');
  return { kind: 'server', ...nodes[0]!, db: database(path), ...base };
}
