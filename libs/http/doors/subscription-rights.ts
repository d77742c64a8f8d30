import { isInTree, type Caller } from '#access';
import { Fault } from '#faults';
import type { FilterExpression, PublicKey, Subscription, Target } from '#subscriptions';
import type { Units } from '#units';

/**
 * What a caller is to a subscription. `owner`: a key of its owner with the role reader, which manages it. `above`: an operator or admin of a unit above the owner on
 * either line, or of the hub: looks, pauses and resumes, and sees counts in the place of subjects and answers.
 */
export type Standpoint = 'owner' | 'above';

/** undefined: to this caller the subscription looks missing. Pure; uses the unit tree of today. */
export function standpointOf(
  caller: Caller,
  { owner }: Pick<Subscription, 'owner'>,
  units: Pick<Units, 'above'>,
): Standpoint | undefined {
  if (caller.owner === owner && caller.roles.has('reader')) return 'owner';
  const leads = caller.roles.has('operator') || caller.roles.has('admin');
  return leads && isInTree(caller.owner, owner, units as Units) ? 'above' : undefined;
}

/** A subscription that this caller may see. Fault not_found, the same for one that is not there and for one of others. */
export function seenBy(
  caller: Caller,
  found: Subscription | undefined,
  units: Pick<Units, 'above'>,
): { readonly subscription: Subscription; readonly as: Standpoint } {
  const as = found === undefined ? undefined : standpointOf(caller, found, units);
  if (found === undefined || as === undefined) throw new Fault('not_found');
  return { subscription: found, as };
}

/** A subscription as a door shows it; never its secrets. `publicKeys`: where there are any. */
export function shown(
  subscription: Subscription,
  as: Standpoint,
  publicKeys: readonly PublicKey[],
  status: string = subscription.state,
): object {
  const { secrets: _secrets, state: _state, ...rest } = subscription;
  const keys = publicKeys.length === 0 ? {} : { publicKeys };
  return { ...rest, ...(as === 'owner' ? {} : guarded(subscription)), ...keys, status };
}

/** What an audit record says of a subscription: whose it is, and its spec without what may be secret or personal. */
export function recorded(subscription: Omit<Subscription, 'secrets'>): object {
  const { id, owner, name, types, units, start, test, version, state, temporary } = subscription;
  return {
    ...{ id, owner, name, types, start, test, version, state },
    ...(units === undefined ? {} : { units }),
    ...(temporary === undefined ? {} : { temporary }),
    ...guarded(subscription),
  };
}

/** The query of a URL may hold a token, and a value of a filter over data the number of a person. */
function guarded({ filters, target }: Pick<Subscription, 'filters' | 'target'>): {
  readonly filters: readonly FilterExpression[];
  readonly target: Target;
} {
  return {
    filters: filters.map(guardedFilter),
    target: target.kind === 'webhook' ? { ...target, url: guardedUrl(target.url) } : target,
  };
}

function guardedUrl(text: string): string {
  const url = URL.parse(text);
  return url === null ? '…' : `${url.origin}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

function guardedFilter(filter: FilterExpression): FilterExpression {
  if ('all' in filter) return { all: filter.all.map(guardedFilter) };
  if ('any' in filter) return { any: filter.any.map(guardedFilter) };
  if ('not' in filter) return { not: guardedFilter(filter.not) };
  const guard = (names: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(names).map(([name, text]) => [name, /^(data\.|subject$)/.test(name) ? '…' : text]),
    );
  if ('exact' in filter) return { exact: guard(filter.exact) };
  return 'prefix' in filter ? { prefix: guard(filter.prefix) } : { suffix: guard(filter.suffix) };
}
