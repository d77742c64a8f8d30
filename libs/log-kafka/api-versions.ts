import { Fault } from '#faults';
import { API } from './protocol.js';
import type { Broker } from './types.js';

/** A request that this room writes itself, with the versions that it can write. */
export interface OwnApi {
  readonly key: number;
  readonly name: string;
  readonly oldest: number;
  readonly newest: number;
}

/** The requests of this room. Fetch 13 (Kafka 3.1) is the first that names topics by id, so Kafka 3.1 is the oldest that serves all of them. */
export const OWN = {
  PRODUCE: { key: API.PRODUCE, name: 'Produce', oldest: 9, newest: 11 },
  FETCH: { key: API.FETCH, name: 'Fetch', oldest: 13, newest: 17 },
  INIT_PRODUCER_ID: { key: API.INIT_PRODUCER_ID, name: 'InitProducerId', oldest: 4, newest: 5 },
} as const satisfies Record<string, OwnApi>;

/**
 * What the client library asks of a broker on our behalf; it chooses the version itself. Metadata 10 is the first that tells topic ids. No upper limit:
 * the library writes an older version where the broker still reads it, and says so where it does not.
 */
const OF_THE_LIBRARY: readonly OwnApi[] = [
  { key: 2, name: 'ListOffsets', oldest: 1, newest: Number.MAX_SAFE_INTEGER },
  { key: 3, name: 'Metadata', oldest: 10, newest: Number.MAX_SAFE_INTEGER },
  { key: 10, name: 'FindCoordinator', oldest: 0, newest: Number.MAX_SAFE_INTEGER },
  { key: 11, name: 'JoinGroup', oldest: 0, newest: Number.MAX_SAFE_INTEGER },
  { key: 19, name: 'CreateTopics', oldest: 0, newest: Number.MAX_SAFE_INTEGER },
  { key: 32, name: 'DescribeConfigs', oldest: 0, newest: Number.MAX_SAFE_INTEGER },
];

/** What a broker answered to ApiVersions: API key → its oldest and newest version. */
export type BrokerApis = ReadonlyMap<number, { readonly oldest: number; readonly newest: number }>;

/** The newest version that both sides know. Throws Fault `broker_unsupported`, which names the broker and what it lacks. */
export function versionFor(api: OwnApi, apis: BrokerApis, broker: Broker): number {
  const theirs = apis.get(api.key);
  const version = Math.min(api.newest, theirs?.newest ?? -1);
  if (theirs !== undefined && version >= Math.max(api.oldest, theirs.oldest)) return version;
  throw new Fault('broker_unsupported', { detail: `broker ${broker.host}:${broker.port} lacks ${lacking(api, apis)}` });
}

/** Throws Fault `broker_unsupported` with everything that the broker lacks of what the hub needs. */
export function checkApis(apis: BrokerApis, broker: Broker): void {
  const missing = [...Object.values(OWN), ...OF_THE_LIBRARY].filter((api) => !serves(api, apis));
  if (missing.length === 0) return;
  const names = missing.map((api) => lacking(api, apis)).join(', ');
  throw new Fault('broker_unsupported', { detail: `broker ${broker.host}:${broker.port} lacks ${names}` });
}

function serves({ key, oldest, newest }: OwnApi, apis: BrokerApis): boolean {
  const theirs = apis.get(key);
  return theirs !== undefined && theirs.newest >= oldest && theirs.oldest <= newest;
}

function lacking({ key, name, oldest }: OwnApi, apis: BrokerApis): string {
  const theirs = apis.get(key);
  return `${name} ${oldest} (${theirs === undefined ? 'it has none' : `it has ${theirs.oldest} to ${theirs.newest}`})`;
}
