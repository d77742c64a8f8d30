import type { Caller } from '#access';
import type { HttpLimits } from './types.js';

/** How a browser session is read: only the owner of the sessions knows what a cookie value means. */
export interface SessionCookie {
  /** Name of the cookie. */
  readonly name: string;
  /** The caller of a session; undefined = no valid session. It is called before the body is read, so it must answer from memory. */
  readonly callerOf: (value: string) => Caller | undefined;
}

export interface ProfileLimits {
  /** Bytes of one request body; beyond: `body_too_large`. @default HttpLimits.bodyBytes */
  readonly bodyBytes?: number;
  /**
   * Bytes of bodies that this profile may receive at once, all connections together, a quarter of it for one key; beyond: `queue_full`.
   * @default they count against the budgets of #limits, together with those of the other profiles
   */
  readonly receivingBytes?: number;
}

interface Common {
  /** Start of the path: `/registry` is for `/registry` and all below it. The longest prefix wins. */
  readonly prefix: string;
  /** `problem`: RFC 9457. `registry`: `{error_code, message}` as clients of Confluent's schema registry read it. */
  readonly errors: 'problem' | 'registry';
  readonly limits?: ProfileLimits;
}

/**
 * What is the same for all doors below one path: how a request authenticates, which shape an error has, how large a body may be.
 * `bearer` and `basic` take an API key (Basic: as the password, the user name is free), `session` a cookie, `none` takes every request without a caller.
 */
export type DoorProfile =
  | (Common & { readonly auth: 'bearer' | 'basic' | 'none' })
  | (Common & { readonly auth: 'session'; readonly session: SessionCookie });

/** The profiles of today's doors: API keys and problem documents, and room for batches where events are published. */
export function apiProfiles(limits: HttpLimits): readonly DoorProfile[] {
  const api = { auth: 'bearer', errors: 'problem' } as const;
  return [
    { ...api, prefix: '/' },
    { ...api, prefix: '/v1/events', limits: { bodyBytes: limits.batchBytes } },
  ];
}

/** Finds the profile of a path. */
export class Profiles {
  readonly #byLength: readonly DoorProfile[];
  readonly #root: DoorProfile;

  /** Of two profiles with the same prefix the later one counts. */
  constructor(profiles: readonly DoorProfile[]) {
    this.#byLength = profiles.toReversed().toSorted((a, b) => b.prefix.length - a.prefix.length);
    this.#root = { prefix: '/', auth: 'bearer', errors: 'problem' };
  }

  /** The profile of a URL or of a route pattern. Total: without a match, API keys and problem documents. */
  of(url: string): DoorProfile {
    const end = url.search(/[?#]/);
    const path = end < 0 ? url : url.slice(0, end);
    return this.#byLength.find(({ prefix }) => covers(prefix, path)) ?? this.#root;
  }
}

function covers(prefix: string, path: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/';
}
