import { UnitFault, type UnitFaultCode } from '#sdk';

export type TestHubFaultCode = Extract<UnitFaultCode, `test_hub_${string}`>;

/** Why a hub for tests did not do what it was asked: a `UnitFault`. */
export class TestHubFault extends UnitFault<TestHubFaultCode> {
  constructor(code: TestHubFaultCode, detail?: string, cause?: unknown) {
    super('TestHubFault', code, detail, cause);
  }
}
