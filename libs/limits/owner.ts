import { Fault, type FaultCode } from '#faults';
import { LIMITS, type LimitName } from './table.js';

/** For whom something is counted. A part that is undefined is not counted (an open route has no key). */
export interface LimitOwner {
  readonly key?: string | undefined;
  readonly unit?: string | undefined;
  readonly address?: string | undefined;
}

export type OwnerLevel = keyof LimitOwner;

/** A limit that was reached: its name, and in how many ms it is worth while to ask again. */
export interface Reached {
  readonly limit: LimitName;
  readonly retryAfterMs: number;
}

/** The fault of a request beyond a limit: `too_many_requests`, or `queue_full` where the limit is one of the hub and not of the asker. */
export function limitFault({ limit, retryAfterMs }: Reached, value: number, code?: FaultCode): Fault {
  const { per, unit } = LIMITS[limit];
  const whose = per === 'all' ? 'the hub' : per === 'address' ? 'this address' : `this ${per}`;
  return new Fault(code ?? (per === 'all' ? 'queue_full' : 'too_many_requests'), {
    detail: `the limit ${limit} of ${whose} is reached: ${value} ${unit}`,
    limit,
    retryAfterMs,
  });
}
