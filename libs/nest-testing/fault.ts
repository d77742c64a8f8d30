import { UnitFault, type UnitFaultCode } from '#sdk';

export type SimpulTestFaultCode = Extract<UnitFaultCode, 'no_handler' | 'not_in_memory' | `app_${string}`>;

/** Why a test of an app cannot go on: a `UnitFault`. */
export class SimpulTestFault extends UnitFault<SimpulTestFaultCode> {
  constructor(code: SimpulTestFaultCode, detail: string, cause?: unknown) {
    super('SimpulTestFault', code, detail, cause);
  }
}
