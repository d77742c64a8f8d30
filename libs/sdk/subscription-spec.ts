import type { Connection } from './connection.js';
import { faultOf, isSdkFault, SdkFault } from './fault.js';
import { query } from './query.js';
import { isMe, listOf, texts } from './shapes.js';
import type { TypeName } from './handlers.js';
import { UNIT_FAULTS } from '#faults';
import { pause } from '#concurrency';

/** Units by what they are on the day of an event; all given conditions must hold for one unit. */
export interface UnitChoice {
  /** Type of unit: `kanim`. */
  readonly function?: string;
  /** Kemendagri code of a province. */
  readonly province?: string;
  /** Id of a unit: itself and every unit below it. */
  readonly below?: string;
}

/** What a subscription gets. It is made under its name at the first start, and matched by it later. */
export interface SubscriptionWish {
  /** Lower-case letters, digits, `-`; one of the unit of the key. */
  readonly name: string;
  /** Event types, by name or token; `*` stands for one segment, a last `#` for all further ones. */
  readonly types: readonly TypeName[];
  /** CloudEvents filter expressions, all of which must hold. @default none */
  readonly filters?: readonly object[];
  readonly units?: UnitChoice;
  /** Where it begins when it is made: `now`, `earliest`, an RFC 3339 time or a position. @default now */
  readonly start?: string;
  /** true: it gets test events, and nothing else. @default false */
  readonly test?: boolean;
  /** Change a subscription of this name that gets something else; without it that is a fault `subscription_changed`. @default false */
  readonly change?: boolean;
  /** How long the hub may be away at the start, ms. @default 60 s */
  readonly startDeadlineMs?: number;
}

interface Row {
  readonly id: string;
  readonly owner: string;
  readonly version: number;
  readonly [member: string]: unknown;
}

const isRow = texts('id', 'owner', 'name');
/** Another process has made it, and this hub has not read that yet. */
const LOOK_MS = 200;
const LOOKS = 25;

/** The pull subscription of a name. */
export interface Matched {
  readonly id: string;
  /** It was not there before. */
  readonly isMade: boolean;
}

/** Where a subscription that is made begins in single streams: see `starts` of POST /v1/subscriptions. Asked for only then. */
export type StartsOf = () => Promise<Readonly<Record<string, string>> | undefined>;

/** The pull subscription of this name, which is made or changed where that is needed. Throws SdkFault, also `subscription_changed`. */
export async function matchSubscription(
  hub: Connection,
  key: string,
  wish: SubscriptionWish,
  signal: AbortSignal,
  startsOf?: StartsOf,
): Promise<Matched> {
  const me = await hub.callWithRetry('/v1/me', {
    key,
    shape: isMe,
    signal,
    deadlineMs: wish.startDeadlineMs ?? 60_000,
  });
  if (me.status !== 200) throw faultOf(me.status, me.body);
  const { unit } = me.body as { unit: string };
  const spec = specOf(wish);
  for (let look = 1; ; look++) {
    const found = await find(hub, key, unit, wish.name, signal);
    if (found !== undefined)
      return { id: (await matched(hub, key, found, spec, wish.change === true, signal)).id, isMade: false };
    try {
      const starts = await startsOf?.();
      const body = json('POST', starts === undefined ? spec : { ...spec, starts });
      const made = await hub.callWithRetry('/v1/subscriptions', { key, signal, shape: isRow, ...body });
      if (made.status === 201) return { id: (made.body as Row).id, isMade: true };
      throw faultOf(made.status, made.body);
    } catch (e) {
      if (!isSdkFault(e) || e.code !== 'conflict' || look === LOOKS) throw e;
      await pause(LOOK_MS, signal);
      signal.throwIfAborted();
    }
  }
}

async function find(
  hub: Connection,
  key: string,
  owner: string,
  name: string,
  signal: AbortSignal,
): Promise<Row | undefined> {
  const reply = await hub.callWithRetry(`/v1/subscriptions${query({ name, owner })}`, {
    key,
    signal,
    shape: listOf('subscriptions', isRow),
  });
  if (reply.status !== 200) throw faultOf(reply.status, reply.body);
  const [row] = (reply.body as { subscriptions: Row[] }).subscriptions;
  return row;
}

type Spec = ReturnType<typeof specOf>;

function specOf({ name, types, filters = [], units, start = 'now', test = false }: SubscriptionWish) {
  return {
    name,
    types: types.map((type) => (typeof type === 'string' ? type : type.type)),
    filters,
    ...(units === undefined ? {} : { units }),
    start,
    test,
    target: { kind: 'pull' },
  };
}

async function matched(
  hub: Connection,
  key: string,
  row: Row,
  spec: Spec,
  mayChange: boolean,
  signal: AbortSignal,
): Promise<Row> {
  const members = ['types', 'filters', 'units', 'test', 'target'] as const;
  const other = members.filter((m) => plain(row[m], m) !== plain((spec as Record<string, unknown>)[m], m));
  if (other.length === 0) return row;
  const canChange = !other.includes('test') && !(other.includes('units') && spec.units === undefined);
  if (!mayChange || !canChange) {
    const { title, hint } = UNIT_FAULTS.subscription_changed;
    const problem = { title: `${title.id} / ${title.en}`, hint: `${hint.id} / ${hint.en}` };
    const detail = `${spec.name}: ${other.join(', ')}`;
    throw new SdkFault(0, { code: 'subscription_changed', ...problem, detail }, { retryable: false });
  }
  const change = Object.fromEntries(other.map((m) => [m, (spec as Record<string, unknown>)[m]]));
  const { headers, ...call } = json('PATCH', change);
  const reply = await hub.callWithRetry(`/v1/subscriptions/${row.id}`, {
    key,
    signal,
    shape: isRow,
    ...call,
    headers: { ...headers, 'if-match': `"${row.version}"` },
  });
  if (reply.status !== 200) throw faultOf(reply.status, reply.body);
  return reply.body as Row;
}

/** Text that is the same for members that mean the same. */
function plain(value: unknown, member: string): string {
  if (member === 'types') return JSON.stringify((value as string[]).toSorted());
  return JSON.stringify(value ?? null, (_name, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

export function json(
  method: 'POST' | 'PATCH',
  body: object,
): { readonly method: 'POST' | 'PATCH'; readonly headers: Record<string, string>; readonly body: string } {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
