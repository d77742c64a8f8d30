import { UnitFault, type UnitFaultCode } from '#sdk';

export type OutboxFaultCode = Extract<UnitFaultCode, `outbox_${string}`>;

/** Why the outbox did not do what it was asked: a `UnitFault`. */
export class OutboxFault extends UnitFault<OutboxFaultCode> {
  constructor(code: OutboxFaultCode, detail?: string, cause?: unknown) {
    super('OutboxFault', code, detail, cause);
  }
}

export function isOutboxFault(e: unknown): e is OutboxFault {
  return typeof e === 'object' && e !== null && (e as { name?: unknown }).name === 'OutboxFault';
}
