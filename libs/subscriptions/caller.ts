import type { Caller } from '#access';

/** The caller whose rights decide what a subscription gets: its unit or party, with the role reader. */
export function callerOf({
  id,
  owner,
  system,
}: {
  readonly id?: string;
  readonly owner: string;
  readonly system: string;
}): Caller {
  return { keyId: id ?? '', owner, system, roles: new Set(['reader']) };
}
