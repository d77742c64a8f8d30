import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault, verbatim, type Problem } from '#faults';
import { LIMIT_NAMES, LIMITS, settingOf, type LimitValues } from '#limits';
import { openNetworkText, readOpenNetworks } from '#networks';
import { z } from 'zod';
import { readBrokers } from './brokers.js';
import { DELIVERY_TABLE } from './delivery.js';
import { isServiceLink } from './kubernetes.js';
import { addressOf, hostOf, isOrigin } from './own-address.js';
import { Secret } from './secret.js';
import { isTrustedProxy } from './trusted-proxy.js';
import { texts } from './texts.js';

/** Checks of Kafka topics whose result an operator may accept, by their names in the setting. The adapter makes these and others. */
export const KAFKA_CHECKS = [
  'replication',
  'min-insync',
  'unclean',
  'retention-bytes',
  'timestamp',
  'max-message',
  'cleanup',
] as const;
export type KafkaCheck = (typeof KAFKA_CHECKS)[number];

const port = z.coerce.number().int().min(0).max(65_535);

/** What a key can find out may be less than one a second: each of several gateways gets its part. */
const FRACTIONS: ReadonlySet<string> = new Set(['misses/s', 'look-ups/s']);

/** The settings of the table of limits: a whole number, at least 1; a rate of what can be found out may be a fraction. */
const LIMIT_TABLE = Object.fromEntries(
  LIMIT_NAMES.map((name) => {
    const { default: value, unit, per, beyond, why } = LIMITS[name];
    const row = {
      schema: (FRACTIONS.has(unit) ? z.coerce.number().min(0.01) : z.coerce.number().int().min(1)).default(value),
      default: `\`${value}\``,
      text: `Limit \`${name}\`: ${unit} ${per === 'all' ? 'of all together' : `of one ${per}`}. Beyond: ${beyond}. Why so: ${why}.`,
    };
    return [settingOf(name), row];
  }),
);

/** Every other setting of a hub process: schema, default in words, meaning. docs/reference/settings.md is generated from these tables. */
const OWN_TABLE = {
  SIMPUL_ENGINE: {
    schema: z.enum(['embedded', 'kafka']).default('embedded'),
    default: '`embedded`',
    text: 'Engine: `embedded` (files on this disk) or `kafka` (Kafka and Redis).',
  },
  SIMPUL_DATA: {
    schema: z.string().min(1).default('.simpul/data'),
    default: '`.simpul/data`',
    text: 'Data folder: engine files, keys, the lock of the owner.',
  },
  SIMPUL_HOST: {
    schema: z.string().min(1).default('127.0.0.1'),
    default: '`127.0.0.1`',
    text: 'Address to listen on.',
  },
  SIMPUL_PORT: { schema: port.default(8080), default: '`8080`', text: 'Port to listen on; 0 takes a free one.' },
  SIMPUL_ADDRESS: {
    schema: z.string().refine(isOrigin, 'expected http://host:port').optional(),
    default: '`http://<host>:<port>`',
    text: 'How other processes of the hub reach this one, `http://host:port`: requests about a subscription are sent on to the process that runs it. By default the address to listen on, and the name of this machine where that is every address (`0.0.0.0`); none with port 0.',
  },
  SIMPUL_KAFKA: {
    schema: z.string().min(1).optional(),
    default: '(none)',
    text: 'Kafka brokers, `host:port,[IPv6]:port`. Needed with `SIMPUL_ENGINE=kafka`.',
  },
  SIMPUL_KAFKA_SASL: {
    schema: z
      .string()
      .regex(/^(plain|scram-sha-256|scram-sha-512):[^:]+:.+$/i, 'expected mechanism:user:password')
      .optional(),
    default: '(none)',
    text: 'SASL as `scram-sha-512:user:password` (also `plain`, `scram-sha-256`). Secret.',
  },
  SIMPUL_KAFKA_CA: {
    schema: z.string().min(1).optional(),
    default: '(none)',
    text: 'PEM file of the certificate authority; its presence switches TLS on. `system` uses the system store.',
  },
  SIMPUL_KAFKA_PREFIX: {
    schema: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,40}$/)
      .optional(),
    default: '(none)',
    text: 'Prefix of every topic and group, for several deployments on one cluster.',
  },
  SIMPUL_KAFKA_ACCEPT: {
    schema: z
      .string()
      .transform((list) =>
        list
          .split(',')
          .map((c) => c.trim())
          .filter((c) => c !== ''),
      )
      .pipe(z.array(z.enum(KAFKA_CHECKS)))
      .optional(),
    default: '(none)',
    text: `Checks of Kafka topics whose risk you accept: ${KAFKA_CHECKS.map((c) => `\`${c}\``).join(', ')}. A topic that breaks a promise of the hub refuses the start otherwise. Accepted ones are said at every start and in \`/health/ready\`.`,
  },
  SIMPUL_REDIS: {
    schema: z.string().min(1).optional(),
    default: '(none)',
    text: 'Redis: `redis://`, `rediss://`, `sentinel://host:port,…/name`, `cluster://host:port,…`. Needed with `SIMPUL_ENGINE=kafka`. May hold a password.',
  },
  SIMPUL_REDIS_CA: {
    schema: z.string().min(1).optional(),
    default: '(none)',
    text: 'PEM file of the authority behind the certificate of Redis, when it is a private one; with `rediss://`, `sentinel+tls://`, `cluster+tls://`.',
  },
  SIMPUL_PARTITIONS: {
    schema: z.coerce.number().int().min(1).max(1024).default(8),
    default: '`8`',
    text: 'Partitions of a stream at its creation; later changes touch new streams only.',
  },
  SIMPUL_SNAPSHOTS: {
    schema: z.enum(['auto', 'all', 'none']).default('auto'),
    default: '`auto`',
    text: 'Views with a snapshot in the log, from which an emptied store is filled: `auto` (those over a stream with a retention, or over streams that have had 100,000 events), `all` or `none`. Read by projectors.',
  },
  SIMPUL_PSEUDONYM_KEY_FILE: {
    schema: z.string().min(1).optional(),
    default: '`<data>/pseudonym.key`',
    text: 'File of the deployment key for pseudonym subjects (R11).',
  },
  SIMPUL_CONTRACTS: {
    schema: z.string().min(1).optional(),
    default: '(none)',
    text: 'Folder with event contracts (`*.avsc`, also in its subfolders) beside those that come with the hub; registered at the start where they are missing, and then for good.',
  },
  SIMPUL_KEY_DAYS: {
    schema: z.coerce.number().int().min(1).max(36_500).default(365),
    default: '`365`',
    text: 'Days for which a new API key is valid when it names no `expires` (R11.7).',
  },
  SIMPUL_KEY_DAYS_MAX: {
    schema: z.coerce.number().int().min(1).max(36_500).default(730),
    default: '`730`',
    text: 'Days for which a new API key may be valid at most; not less than `SIMPUL_KEY_DAYS`.',
  },
  SIMPUL_TRUST_PROXY: {
    schema: z
      .string()
      .transform((list) =>
        list
          .split(',')
          .map((p) => p.trim())
          .filter((p) => p !== ''),
      )
      .refine((list) => list.every(isTrustedProxy), 'expected addresses, networks or loopback')
      .optional(),
    default: '(none)',
    text: 'Proxies whose `X-Forwarded-For` says the address of the client, for the limits per address: `10.0.0.5,10.1.0.0/16`, or `loopback`, `linklocal`, `uniquelocal`. Any other sender cannot choose its address.',
  },
  ...DELIVERY_TABLE,
  SIMPUL_KEEP_ALIVE: {
    schema: z.coerce.number().int().min(1).max(3_600).default(72),
    default: '`72`',
    text: 'Seconds that an idle connection stays open. Longer than the idle time of a proxy in front of the hub (mostly 60), or the proxy sends a request into a closing connection.',
  },
  SIMPUL_WEBHOOK_ALLOW: {
    schema: z.string().min(1).optional(),
    default: '(none)',
    text: 'Networks that webhooks may reach beside public addresses, also over http and on any port: `10.1.0.0/16,fd00:1::/32`. `SU00518=10.2.0.0/24` opens one for the subscriptions of that unit, and of the units below it, alone. Never the networks of the hub itself, of Kafka and of Redis.',
  },
  SIMPUL_WEBHOOK_ORIGIN: {
    schema: z
      .string()
      .regex(/^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)*$/i, 'expected a DNS name')
      .optional(),
    default: '(host of `SIMPUL_ADDRESS`)',
    text: 'DNS name by which the hub asks receivers of webhooks whether they want them (`WebHook-Request-Origin` of the CloudEvents handshake): `simpul.example.go.id`.',
  },
  SIMPUL_LOG_LEVEL: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    default: '`info`',
    text: 'Least severe log line that is written.',
  },
  SIMPUL_LANG: {
    schema: z.enum(['id', 'en']).optional(),
    default: 'from `LANG`, else `id`',
    text: 'Language of texts for people on a terminal.',
  },
} as const;

const TABLE: Readonly<Record<string, { readonly schema: z.ZodType; readonly default: string; readonly text: string }>> =
  {
    ...OWN_TABLE,
    ...LIMIT_TABLE,
  };

/** Settings that only the command line and the checker read. A hub accepts the names, because it may start in the same shell, and ignores the values. */
const CLIENT_TABLE = {
  SIMPUL_URL: {
    default: 'the hub that runs in the data folder, else `http://127.0.0.1:8080`',
    text: '`simpul`: address of the hub.',
  },
  SIMPUL_KEY: { default: '`<data>/admin.key`', text: '`simpul`: the key to work with. Secret.' },
  SIMPUL_CTX: {
    default: '(the one that `simpul ctx use` chose)',
    text: '`simpul`: a hub by its name; `SIMPUL_URL` counts before it.',
  },
  SIMPUL_CHECKER_KEY: { default: '(none)', text: 'Checker of a day: its key, when it is in no file. Secret.' },
} as const;

export const SETTINGS_REFERENCE: readonly { readonly name: string; readonly default: string; readonly text: string }[] =
  Object.entries({ ...TABLE, ...CLIENT_TABLE }).map(([name, row]) => ({ name, default: row.default, text: row.text }));

/** The environment for a hub process, without the settings of the command line: a hub must not inherit a person's key. */
export function hubEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !Object.hasOwn(CLIENT_TABLE, name)));
}

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly sasl:
    | {
        readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
        readonly username: string;
        readonly password: Secret;
      }
    | undefined;
  /** PEM text of the CA, or `system`. Present = TLS. */
  readonly ca: string | undefined;
  readonly prefix: string | undefined;
  /** Checks of topics whose result the operator accepts. */
  readonly accept: readonly KafkaCheck[];
}

export interface HubSettings {
  readonly engine: 'embedded' | 'kafka';
  /** Absolute. */
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  /** How other processes of the hub reach this one, `http://host:port`; empty: they do not. */
  readonly address: string;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed; empty: none. */
  readonly trustProxy: readonly string[];
  /** How long an idle HTTP connection stays open. */
  readonly keepAliveMs: number;
  readonly kafka: KafkaSettings | undefined;
  readonly redis: Secret | undefined;
  /** PEM text of the private certificate authority of Redis. */
  readonly redisCa: string | undefined;
  readonly partitions: number;
  /** Which views have a snapshot, from which an emptied store is filled. */
  readonly snapshots: 'auto' | 'all' | 'none';
  readonly pseudonymKeyFile: string | undefined;
  /** Folder with contracts beside those of the product. */
  readonly contractsDir: string | undefined;
  /** How long a new API key is valid. */
  readonly keyLives: { readonly defaultDays: number; readonly maxDays: number };
  /** Waits between the tries of a delivery, ms: before a subject is parked, and after that. */
  readonly delivery: { readonly retryMs: readonly number[]; readonly parkedMs: readonly number[] };
  readonly subscriptionsPerUnit: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Networks in CIDR form that webhooks may reach beside public addresses. */
  readonly webhookAllow: readonly string[];
  /** DNS name of the hub in the handshake of webhooks. */
  readonly webhookOrigin: string;
  /** What one key, unit or address may use, and everybody together. */
  readonly limits: LimitValues;
}

function parse(env: NodeJS.ProcessEnv): { values: Record<string, unknown>; problems: Problem[] } {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [name, row] of Object.entries(TABLE)) {
    const raw = env[name];
    const result = row.schema.safeParse(raw === '' || isServiceLink(name, raw) ? undefined : raw);
    if (result.success) values[name] = result.data;
    else
      problems.push({
        pointer: name,
        reason: verbatim(result.error.issues.map((i) => i.message).join('; ')),
        expected: verbatim(row.text),
      });
  }
  const known = new Set(Object.keys(TABLE));
  for (const name of Object.keys(env))
    if (
      name.startsWith('SIMPUL_') &&
      !known.has(name) &&
      !Object.hasOwn(CLIENT_TABLE, name) &&
      !isServiceLink(name, env[name]) &&
      !name.startsWith('SIMPUL_TEST_')
    )
      problems.push({ pointer: name, reason: texts.no_such_setting(), expected: verbatim([...known].join(', ')) });
  return { values, problems };
}

/**
 * Settings of a hub process, read once from the environment; `given` (options of a command line) takes precedence.
 * Fault `invalid_settings` lists all problems at once.
 */
export function readHubSettings(
  env: NodeJS.ProcessEnv = process.env,
  given: Readonly<Record<string, string>> = {},
): HubSettings {
  const { values, problems } = parse({ ...env, ...given });
  const v = values as { [K in keyof typeof OWN_TABLE]: z.output<(typeof OWN_TABLE)[K]['schema']> };
  if (v.SIMPUL_ENGINE === 'kafka') {
    if (!v.SIMPUL_KAFKA)
      problems.push({
        pointer: 'SIMPUL_KAFKA',
        reason: texts.needed_with_kafka(),
        expected: verbatim('host:port,host:port'),
      });
    if (!v.SIMPUL_REDIS)
      problems.push({
        pointer: 'SIMPUL_REDIS',
        reason: texts.needed_with_kafka(),
        expected: verbatim('redis://host:port'),
      });
  }
  if (v.SIMPUL_KEY_DAYS > v.SIMPUL_KEY_DAYS_MAX)
    problems.push({
      pointer: 'SIMPUL_KEY_DAYS_MAX',
      reason: texts.less_than_default({ days: v.SIMPUL_KEY_DAYS }),
      expected: verbatim(`>= ${v.SIMPUL_KEY_DAYS}`),
    });
  const list = v.SIMPUL_KAFKA === undefined ? undefined : readBrokers(v.SIMPUL_KAFKA);
  if (list?.ok === false)
    problems.push({ pointer: 'SIMPUL_KAFKA', reason: list.reason, expected: verbatim('host:port,[IPv6]:port') });
  const allowed = readOpenNetworks(v.SIMPUL_WEBHOOK_ALLOW ?? '');
  if (!allowed.ok)
    problems.push({
      pointer: 'SIMPUL_WEBHOOK_ALLOW',
      reason: allowed.reason,
      expected: verbatim('10.1.0.0/16,fd00:1::/32,SU00518=10.2.0.0/24'),
    });
  const pemOf = (pointer: 'SIMPUL_KAFKA_CA' | 'SIMPUL_REDIS_CA'): string | undefined => {
    const file = v[pointer];
    if (file === undefined || (pointer === 'SIMPUL_KAFKA_CA' && file === 'system')) return file;
    try {
      const text = readFileSync(file, 'utf8');
      if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
      problems.push({ pointer, reason: texts.no_certificate({ file }), expected: texts.pem_file() });
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code ?? 'error';
      problems.push({ pointer, reason: texts.file_unreadable({ file, code }), expected: texts.pem_file() });
    }
    return undefined;
  };
  const ca = pemOf('SIMPUL_KAFKA_CA');
  const redisCa = pemOf('SIMPUL_REDIS_CA');
  if (problems.length > 0)
    throw new Fault('invalid_settings', {
      problems,
      detail: problems.map((p) => `${p.pointer}: ${p.reason}`).join('; '),
    });
  let sasl: KafkaSettings['sasl'];
  if (v.SIMPUL_KAFKA_SASL) {
    const [mechanism, username, ...rest] = v.SIMPUL_KAFKA_SASL.split(':');
    sasl = {
      mechanism: mechanism!.toUpperCase() as NonNullable<KafkaSettings['sasl']>['mechanism'],
      username: username!,
      password: new Secret(rest.join(':')),
    };
  }
  return Object.freeze({
    engine: v.SIMPUL_ENGINE,
    dataDir: resolve(v.SIMPUL_DATA),
    host: v.SIMPUL_HOST,
    port: v.SIMPUL_PORT,
    address: v.SIMPUL_ADDRESS ?? addressOf(v.SIMPUL_HOST, v.SIMPUL_PORT),
    trustProxy: v.SIMPUL_TRUST_PROXY ?? [],
    keepAliveMs: v.SIMPUL_KEEP_ALIVE * 1_000,
    subscriptionsPerUnit: v.SIMPUL_SUBSCRIPTIONS_PER_UNIT,
    delivery: {
      retryMs: v.SIMPUL_DELIVERY_RETRIES.map((s) => s * 1_000),
      parkedMs: v.SIMPUL_DELIVERY_SCHEDULE.map((s) => s * 1_000),
    },
    kafka:
      list?.ok === true
        ? { brokers: list.brokers, sasl, ca, prefix: v.SIMPUL_KAFKA_PREFIX, accept: v.SIMPUL_KAFKA_ACCEPT ?? [] }
        : undefined,
    redis: v.SIMPUL_REDIS ? new Secret(v.SIMPUL_REDIS) : undefined,
    redisCa,
    partitions: v.SIMPUL_PARTITIONS,
    snapshots: v.SIMPUL_SNAPSHOTS,
    pseudonymKeyFile: v.SIMPUL_PSEUDONYM_KEY_FILE,
    contractsDir: v.SIMPUL_CONTRACTS === undefined ? undefined : resolve(v.SIMPUL_CONTRACTS),
    keyLives: { defaultDays: v.SIMPUL_KEY_DAYS, maxDays: v.SIMPUL_KEY_DAYS_MAX },
    logLevel: v.SIMPUL_LOG_LEVEL,
    webhookOrigin: v.SIMPUL_WEBHOOK_ORIGIN ?? hostOf(v.SIMPUL_ADDRESS ?? addressOf(v.SIMPUL_HOST, v.SIMPUL_PORT)),
    webhookAllow: allowed.ok ? allowed.networks.map(openNetworkText) : [],
    limits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, values[settingOf(name)]])) as LimitValues,
  });
}
