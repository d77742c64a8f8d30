import { verbatim } from '#faults';
import { isSdkFault, shapes, type Shape } from '#sdk';
import type { Context } from '../context.js';
import { Usage } from '../usage.js';
import { texts } from '../texts.js';

/** A subscription as the hub shows it. */
export interface SubscriptionRow extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly status: string;
  readonly version: number;
  readonly target: { readonly kind: string; readonly url?: string };
}

export const isSubscription: Shape = shapes.all(
  shapes.texts('id', 'name', 'owner', 'status'),
  ({ version, target }) => typeof version === 'number' && typeof target === 'object' && target !== null,
);
/** The subscription with this id. */
export const isThis = (id: string): Shape => shapes.all(isSubscription, shapes.named('id', id));
/** Subscriptions of a list are asked for so many at once. */
const AT_ONCE = 6;
const MOST = 100_000;

export const pathOf = (id: string, below = ''): string => `/v1/subscriptions/${encodeURIComponent(id)}${below}`;

/** `-o` of this command, where it has the option --json too. */
export function formatted(ctx: Context, { json }: { readonly json?: boolean }): Context {
  return json === true ? { ...ctx, format: 'json' } : ctx;
}

export function allSubscriptions(ctx: Context, query = ''): Promise<readonly SubscriptionRow[]> {
  return ctx.rows(`/v1/subscriptions${query}`, 'subscriptions', isSubscription, MOST) as Promise<
    readonly Record<string, unknown>[]
  > as Promise<readonly SubscriptionRow[]>;
}

/** The id of a subscription that is named by its id or by its name. Throws Usage: there is none, or several owners have one of this name. */
export async function idOf(ctx: Context, given: string): Promise<string> {
  if (/^sub_[a-z0-9]{20}$/.test(given)) return given;
  const found = await allSubscriptions(ctx, `?name=${encodeURIComponent(given)}`);
  if (found.length === 1) return found[0]!.id;
  if (found.length === 0) throw new Usage(texts.no_such_subscription({ name: given }));
  const ids = found.map(({ id, owner }) => `${id} (${owner})`).join(', ');
  throw new Usage(texts.several_subscriptions({ name: given, ids }));
}

/** One subscription with how far it is. */
export async function standingOf(ctx: Context, id: string): Promise<SubscriptionRow> {
  return (await ctx.get(pathOf(id), isThis(id))).body as SubscriptionRow;
}

/** The same of many. One whose process does not answer stays without: its lag is not known. */
export async function standingsOf(ctx: Context, rows: readonly SubscriptionRow[]): Promise<readonly SubscriptionRow[]> {
  const out = [...rows];
  let at = 0;
  const work = async (): Promise<void> => {
    while (at < rows.length) {
      const i = at++;
      out[i] = await standingOf(ctx, rows[i]!.id).catch((e: unknown) => {
        // Removed meanwhile, or taken over by another process.
        if (isSdkFault(e) && (e.status === 503 || e.status === 404)) return rows[i]!;
        throw e;
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return out;
}

/** `17 (12 s)`: how many events, and for how long the oldest of them waits; `≤ 17`: not all of them may be due; `-`: not known. */
export function lagOf({ lag }: SubscriptionRow): string {
  const { events, seconds = 0, atMost } = (lag ?? {}) as { events?: number; seconds?: number; atMost?: true };
  if (events === undefined) return '-';
  return events === 0 ? '0' : `${atMost === true ? '≤ ' : ''}${events} (${spanOf(seconds)})`;
}

function spanOf(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** A whole number of an option. Throws Usage. */
export function numberOf(option: string, text: string): number {
  const n = Number(text);
  if (!Number.isFinite(n) || n <= 0) throw new Usage(verbatim(`${option} ${text}: 1, 2, 3, …`));
  return n;
}

/** A JSON object of an option or a file. Throws Usage. */
export function objectOf(option: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new Usage(texts.not_json_object({ option }));
}
