export { TestHubFault, type TestHubFaultCode } from './fault.js';
export { startTestHub, type GivenEvent, type TestHub, type TestHubOptions } from './test-hub.js';
