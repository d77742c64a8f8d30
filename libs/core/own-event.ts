import { sourceOf, type Caller } from '#access';
import { isRetryable, type Fault } from '#faults';
import type { Offered, PublishAnswer } from '#publishing';

/** A part of the hub that publishes by itself, from source `urn:simpul:hub:<role>`. */
export const hubCaller = (role: string): Caller => ({
  keyId: 'hub',
  owner: 'hub',
  system: role,
  roles: new Set(['publisher']),
});

/** An event of the hub's own as a door would have read it. Whoever tells the same says the same bytes: nothing depends on who and when. */
export function ownEvent(
  caller: Caller,
  e: {
    readonly id: string;
    readonly type: string;
    readonly time: string;
    readonly data: Readonly<Record<string, unknown>>;
  },
): Offered {
  const { data, ...given } = e;
  return {
    kind: 'event',
    given: { specversion: '1.0', source: sourceOf(caller), ...given },
    content: { kind: 'json', data },
    form: 'body',
    bytes: Buffer.byteLength(JSON.stringify(data)),
  };
}

/**
 * What became of each event: told, to be told again, or why never. Other content under its id means that it was told already, by another process or
 * when something was not known yet.
 */
export function toldOf({ results }: PublishAnswer): readonly ('told' | 'again' | Fault)[] {
  return results.map((result) => {
    const fault = result !== undefined && 'fault' in result ? result.fault : undefined;
    if (fault !== undefined && isRetryable(fault)) return 'again';
    return fault === undefined || fault.code === 'idempotency_mismatch' ? 'told' : fault;
  });
}
