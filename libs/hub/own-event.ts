import type { Caller } from '#access';
import type { Offered } from '#publishing';

/** A part of the hub that publishes by itself, from source `urn:simpul:hub:<role>`. */
export const hubCaller = (role: string): Caller => ({
  keyId: 'hub',
  owner: 'hub',
  system: role,
  roles: new Set(['publisher']),
});

/** An event of the hub's own as a door would have read it. Whoever tells the same says the same bytes: nothing depends on who and when. */
export function ownEvent(e: {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}): Offered {
  const { data, ...given } = e;
  return {
    kind: 'event',
    given: { specversion: '1.0', ...given },
    content: { kind: 'json', data },
    form: 'body',
    bytes: Buffer.byteLength(JSON.stringify(data)),
  };
}
