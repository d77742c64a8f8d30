import { isObject } from './filter-rules.js';
import { isSubscriptionId } from './subscription-id.js';
import type { Subscription } from './subscription.js';
import { typePattern } from './type-pattern.js';

/** A row of `_simpul.subscriptions` with the epoch of the courier that wrote it. */
export interface SubscriptionRow {
  readonly row: Subscription;
  readonly epoch: bigint | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The value of a record: JSON with the epoch in it. Members that this version does not know, of a later one, stay in the row.
 */
export function serialiseSubscription(row: Subscription, epoch: bigint | undefined): Buffer {
  return Buffer.from(JSON.stringify(epoch === undefined ? row : { ...row, epoch: String(epoch) }));
}

/**
 * Reads such a value. Throws TypeError (or SyntaxError) when a member is missing or of another shape, and when a condition, a target or a state is one that this
 * version does not know: to leave a condition out would deliver what its owner does not want. `key`: of the record.
 */
export function parseSubscription(value: Buffer, key: string): SubscriptionRow {
  const given: unknown = JSON.parse(value.toString());
  if (!isObject(given)) throw new TypeError('no row of a subscription');
  const { epoch, ...row } = given;
  const wrong = CHECKS.find(([, fits]) => !fits(row));
  if (wrong !== undefined || row['id'] !== key) throw new TypeError(`subscription: ${wrong?.[0] ?? 'id'}`);
  if (epoch !== undefined && !(typeof epoch === 'string' && /^\d{1,19}$/.test(epoch))) throw new TypeError('epoch');
  return { row: row as unknown as Subscription, epoch: epoch === undefined ? undefined : BigInt(epoch) };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === 'string';
const isTime = (value: unknown): boolean => isText(value) && Number.isFinite(Date.parse(value));
const isOneOf =
  (...known: readonly unknown[]) =>
  (value: unknown): boolean =>
    known.includes(value);

const CHECKS: readonly (readonly [string, (row: Json) => boolean])[] = [
  ['id', ({ id }) => isText(id) && isSubscriptionId(id)],
  ['owner', ({ owner, system }) => isText(owner) && isText(system)],
  ['name', ({ name }) => isText(name)],
  ['types', ({ types }) => Array.isArray(types) && types.every((t) => isText(t) && typePattern(t) !== undefined)],
  ['filters', ({ filters }) => Array.isArray(filters) && filters.every(isFilter)],
  ['units', ({ units }) => units === undefined || isSelector(units)],
  ['start', ({ start }) => isText(start)],
  ['test', ({ test }) => typeof test === 'boolean'],
  ['target', ({ target }) => isObject(target) && isTarget(target)],
  ['temporary', ({ temporary }) => isOneOf(undefined, true)(temporary)],
  ['state', ({ state, why }) => isOneOf('active', 'paused', 'disabled')(state) && isTextOrAbsent(why)],
  ['version', ({ version }) => Number.isSafeInteger(version) && (version as number) > 0],
  ['secrets', ({ secrets }) => Array.isArray(secrets) && secrets.every(isSecret)],
  ['createdAt', ({ createdAt, changedAt }) => isTime(createdAt) && isTime(changedAt)],
];

function isFilter(given: unknown): boolean {
  const [dialect, more] = isObject(given) ? Object.keys(given) : [];
  if (!isObject(given) || dialect === undefined || more !== undefined) return false;
  const inside = given[dialect];
  switch (dialect) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return isObject(inside) && Object.values(inside).every((v) => typeof v === 'string');
    case 'all':
    case 'any':
      return Array.isArray(inside) && inside.every(isFilter);
    case 'not':
      return isFilter(inside);
    default:
      return false;
  }
}

const isSelector = (given: unknown): boolean =>
  isObject(given) &&
  Object.entries(given).every(([name, value]) => ['function', 'province', 'below'].includes(name) && isText(value));

function isTarget({ kind, url, mode, data, signature, handshake }: Json): boolean {
  if (kind !== 'webhook') return kind === 'pull' || kind === 'sse';
  const isForm = isOneOf('structured', 'binary', 'batch')(mode) && isOneOf('json', 'avro')(data);
  const isAsked = isOneOf(undefined, true)(handshake);
  return isText(url) && isForm && isAsked && isOneOf(undefined, 'v1', 'v1a')(signature);
}

const isSecret = (given: unknown): boolean =>
  isObject(given) && isText(given['sealed']) && (given['validUntil'] === undefined || isTime(given['validUntil']));
