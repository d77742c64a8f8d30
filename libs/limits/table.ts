/** One number of the table. */
export interface LimitRow {
  readonly default: number;
  readonly unit:
    | 'connections'
    | 's'
    | 'bytes'
    | 'streams'
    | 'requests'
    | 'events'
    | 'records/s'
    | 'entries/s'
    | 'misses/s'
    | 'look-ups/s'
    | 'names'
    | 'keys/s'
    | 'ms'
    | 'ms/s';
  /** Whom the number bounds; `all`: everybody in this process together. */
  readonly per: 'event' | 'connection' | 'key' | 'unit' | 'address' | 'all';
  /** What happens beyond it. */
  readonly beyond: string;
  /** Why the number is as it is. */
  readonly why: string;
}

const MIB = 1_048_576;
const OLDEST = 'the oldest connection that has shown no valid key is closed';
const PACED = 'requests of its owner wait; 429 when that would be longer than 5 s';

/**
 * Every budget of a hub process, in one table. The name of a row is what a problem document says in `limit` and the label `limit` in `/metrics`; its setting
 * is `SIMPUL_LIMIT_` and the name in capitals.
 */
export const LIMITS = {
  connections: {
    default: 2_000,
    unit: 'connections',
    per: 'all',
    beyond: `503: ${OLDEST}; when there is none, one of the unit that has the most, if it has a quarter of all: an idle one, or the one that has been busy for longest; else the new connection is. When connections of keys have taken nine tenths, a unit that has a hundredth gets no more`,
    why: 'a connection takes about 20 kB, and a deployment behind proxies needs few of them',
  },
  new_connections_per_address: {
    default: 200,
    unit: 'connections',
    per: 'address',
    beyond: `429: ${OLDEST}. Addresses of trusted proxies are not counted`,
    why: 'a client shows its key with its first request; opening 200 connections at once is already a load test',
  },
  new_connection_seconds: {
    default: 10,
    unit: 's',
    per: 'connection',
    beyond: '408: a connection that has shown no valid key is closed',
    why: 'a slow line needs a few seconds for TLS and the head of a request',
  },
  connections_per_key: {
    default: 500,
    unit: 'connections',
    per: 'key',
    beyond: 'the connection of this key that is idle for longest is closed; when all work, 429',
    why: '200 live streams and the pools of some 10 processes that share a key',
  },
  connections_per_unit: {
    default: 1_000,
    unit: 'connections',
    per: 'unit',
    beyond: 'as for a key',
    why: 'two keys at their limit; half of all connections stay for other units',
  },
  requests_per_connection: {
    default: 16,
    unit: 'requests',
    per: 'connection',
    beyond: '429, and the connection is closed behind this answer',
    why: 'few clients send a request before they have the answer to the one before (pipelining); hundreds of them would be worked on at once',
  },
  queued_requests: {
    default: 4_000,
    unit: 'requests',
    per: 'all',
    beyond: '503; owners with less than 16 go on up to a quarter more',
    why: 'requests that came together and are begun by turns of their keys: half a second of short ones, about 40 MB',
  },
  queued_requests_per_key: {
    default: 1_000,
    unit: 'requests',
    per: 'key',
    beyond: '429, before the request is looked at',
    why: 'twice as many as connections of a key: one on each of them never waits for this',
  },
  queued_requests_per_unit: {
    default: 2_000,
    unit: 'requests',
    per: 'unit',
    beyond: 'as for a key',
    why: 'two keys at their limit',
  },
  queued_requests_per_address: {
    default: 1_000,
    unit: 'requests',
    per: 'address',
    beyond: '429, before the request is looked at',
    why: 'requests without a valid key: probes, metrics, wrong keys',
  },
  receiving_bytes: {
    default: 256 * MIB,
    unit: 'bytes',
    per: 'all',
    beyond: '503; owners with less than 1 MiB go on up to a quarter more',
    why: '32 of the largest publish requests at once',
  },
  receiving_bytes_per_key: {
    default: 64 * MIB,
    unit: 'bytes',
    per: 'key',
    beyond: '503',
    why: 'eight of the largest publish requests of one key at once',
  },
  receiving_bytes_per_unit: {
    default: 128 * MIB,
    unit: 'bytes',
    per: 'unit',
    beyond: '503',
    why: 'two keys at their limit; half of the room stays for other units',
  },
  event_names: {
    default: 20_000,
    unit: 'names',
    per: 'event',
    beyond: '413 before the event is parsed; in a list only for this event',
    why: 'each JSON member name costs the parser up to 0.5 µs in one go; 2,000 rows of ten fields in one event',
  },
  event_names_per_object: {
    default: 1_000,
    unit: 'names',
    per: 'event',
    beyond: '413 before the event is parsed; in a list only for this event',
    why: 'a contract has at most 1,000 fields; at least 64 are always taken',
  },
  pending_events: {
    default: 20_000,
    unit: 'events',
    per: 'all',
    beyond: '503; owners with less than 200 go on up to a quarter more',
    why: 'what the log writes in about a second; more would only wait',
  },
  pending_events_per_key: {
    default: 10_000,
    unit: 'events',
    per: 'key',
    beyond: '503',
    why: 'one request of the largest size: a unit that was a week without a connection sends such ones after each other',
  },
  pending_events_per_unit: {
    default: 15_000,
    unit: 'events',
    per: 'unit',
    beyond: '503',
    why: 'one largest request and the events of the other keys of the unit',
  },
  live_streams: {
    default: 1_500,
    unit: 'streams',
    per: 'all',
    beyond: '503; owners with less than 15 go on up to a quarter more',
    why: 'each holds a connection; a quarter of the connections stays for requests',
  },
  live_streams_per_key: {
    default: 200,
    unit: 'streams',
    per: 'key',
    beyond: '429',
    why: 'live streams and waiting requests: the screens of an office on one key',
  },
  live_streams_per_unit: {
    default: 400,
    unit: 'streams',
    per: 'unit',
    beyond: '429',
    why: 'two keys at their limit',
  },
  live_streams_per_address: {
    default: 1_000,
    unit: 'streams',
    per: 'address',
    beyond: '429',
    why: 'many units share the address of a proxy that is not trusted to say theirs',
  },
  unread_bytes: {
    default: 128 * MIB,
    unit: 'bytes',
    per: 'all',
    beyond: 'the connections of the owner with the most unread bytes are closed, the oldest answer first',
    why: 'what answers may take of the memory of a process',
  },
  unread_bytes_per_connection: {
    default: 24 * MIB,
    unit: 'bytes',
    per: 'connection',
    beyond: 'the connection is closed',
    why: 'one answer of the largest size, and requests that were sent behind it without waiting',
  },
  unread_bytes_per_key: {
    default: 32 * MIB,
    unit: 'bytes',
    per: 'key',
    beyond: 'pages: 429; live streams wait, and the ones that take nothing are closed after `unread_seconds`',
    why: 'four of the largest pages on their way at once',
  },
  unread_bytes_per_unit: {
    default: 64 * MIB,
    unit: 'bytes',
    per: 'unit',
    beyond: 'as for a key',
    why: 'two keys at their limit',
  },
  unread_bytes_per_address: {
    default: 8 * MIB,
    unit: 'bytes',
    per: 'address',
    beyond: 'the connection is closed',
    why: 'answers to requests without a key: some 50 of the largest ones, metrics and descriptions',
  },
  unread_seconds: {
    default: 30,
    unit: 's',
    per: 'connection',
    beyond: 'a connection that takes no byte of what was sent for so long is closed',
    why: 'longer than a radio link is silent when it changes its cell',
  },
  list_requests_per_key: {
    default: 64,
    unit: 'requests',
    per: 'key',
    beyond: '429',
    why: 'lists, scans, dry runs and large batches that wait for their turn; 4 of a key are worked on at once',
  },
  list_requests_per_unit: {
    default: 128,
    unit: 'requests',
    per: 'unit',
    beyond: '429',
    why: 'two keys at their limit',
  },
  list_requests: {
    default: 1_000,
    unit: 'requests',
    per: 'all',
    beyond: '503',
    why: 'half of all connections',
  },
  list_cpu_per_key: {
    default: 500,
    unit: 'ms/s',
    per: 'key',
    beyond: PACED,
    why: 'half of the event loop for as long as it likes, and all of it for 20 s: a page more, a replay, a report',
  },
  list_cpu_per_unit: {
    default: 700,
    unit: 'ms/s',
    per: 'unit',
    beyond: PACED,
    why: 'several keys of a unit together; something always stays for other units',
  },
  records_scanned_per_key: {
    default: 50_000,
    unit: 'records/s',
    per: 'key',
    beyond: PACED,
    why: 'faster than a page of full events is made; a burst of 20 s, a million records, is free: a whole stream of a year',
  },
  records_scanned_per_unit: {
    default: 100_000,
    unit: 'records/s',
    per: 'unit',
    beyond: PACED,
    why: 'two keys at their limit',
  },
  entries_scanned_per_key: {
    default: 20_000,
    unit: 'entries/s',
    per: 'key',
    beyond: PACED,
    why: 'an entry costs more than a record; a burst of 20 s, 400,000 entries, is free: the largest view once',
  },
  entries_scanned_per_unit: {
    default: 40_000,
    unit: 'entries/s',
    per: 'unit',
    beyond: PACED,
    why: 'two keys at their limit',
  },
  misses_per_key: {
    default: 20,
    unit: 'misses/s',
    per: 'key',
    beyond: '429 before anything is looked up',
    why: 'a border post or an office looks for what is not there a few times a minute; a burst of 50 s, 1,000 answers 404, is free',
  },
  misses_per_unit: {
    default: 40,
    unit: 'misses/s',
    per: 'unit',
    beyond: 'as for a key',
    why: 'two keys at their limit: an admin of a unit can make as many keys as it likes',
  },
  lookups_per_key: {
    default: 1,
    unit: 'look-ups/s',
    per: 'key',
    beyond: '429 before anything is looked up',
    why: 'each asks by a clear subject; 86,400 values a day are far fewer than there are persons in a district; a burst of 100 s, 100 look-ups, is free',
  },
  lookups_per_unit: {
    default: 2,
    unit: 'look-ups/s',
    per: 'unit',
    beyond: 'as for a key',
    why: 'two keys at their limit: an admin of a unit can make as many keys as it likes',
  },
  grants_per_key: {
    default: 0.02,
    unit: 'keys/s',
    per: 'key',
    beyond: '429 before a key is made. Admin keys of the hub are not counted',
    why: 'a key stays in the memory of every process, also revoked; a burst of 100,000 s, 2,000 keys, is free: two systems for every unit of a ministry, then 72 an hour',
  },
  grants_per_unit: {
    default: 0.04,
    unit: 'keys/s',
    per: 'unit',
    beyond: 'as for a key',
    why: 'two keys at their limit: an admin key makes further admin keys',
  },
  turn_ms: {
    default: 3,
    unit: 'ms',
    per: 'all',
    beyond:
      'the work gives the event loop back, and the next turn goes to the unit that has had least, and in it to the key that has',
    why: 'a publish needs the event loop about five times: it loses about 15 ms to the heaviest reader',
  },
} as const satisfies Readonly<Record<string, LimitRow>>;

export type LimitName = keyof typeof LIMITS;
export type LimitValues = Readonly<Record<LimitName, number>>;

export const LIMIT_NAMES = Object.keys(LIMITS) as readonly LimitName[];

/** The defaults of the table. */
export const DEFAULT_LIMITS = Object.fromEntries(
  Object.entries(LIMITS).map(([name, row]) => [name, row.default]),
) as LimitValues;

/** The setting of a row: `SIMPUL_LIMIT_CONNECTIONS_PER_KEY`. */
export function settingOf(name: LimitName): string {
  return `SIMPUL_LIMIT_${name.toUpperCase()}`;
}
