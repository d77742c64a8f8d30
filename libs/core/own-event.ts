import { sourceOf, type Caller } from '#access';
import { isRetryable, type Fault } from '#faults';
import type { ItemOutcome, Offered } from '#publishing';

/** The caller of a part of the hub that publishes events itself, with the source `urn:simpul:hub:<part>`. */
export const hubCaller = (part: string): Caller => ({
  keyId: 'hub',
  owner: 'hub',
  system: part,
  roles: new Set(['publisher']),
});

/** An event of the hub itself, in the form in which a door reads one. Equal input gives equal bytes in every process, so a repeat is a duplicate. */
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
 * What a publisher inside the hub does next, for each event: `published` (nothing), `retry`, or a Fault that no retry changes. Other content under
 * the same id (`idempotency_mismatch`) counts as published: another process was first, or this one knew less at that time.
 */
export function ownOutcomes(outcomes: readonly ItemOutcome[]): readonly ('published' | 'retry' | Fault)[] {
  return outcomes.map((outcome) => {
    if ('receipt' in outcome) return 'published';
    const { fault } = outcome;
    if (isRetryable(fault)) return 'retry';
    return fault.code === 'idempotency_mismatch' ? 'published' : fault;
  });
}
