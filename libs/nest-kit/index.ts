export { SimpulClientProxy } from './client-proxy.js';
export { Event, OnBatch, OnEvent } from './decorators.js';
export { EventContext } from './event-context.js';
export { SimpulHealth, type SimpulHealthResult } from './health.js';
export { SimpulModule } from './module.js';
export type { SimpulOptions, SourceParts } from './options.js';
export { SimpulPublisher, type PublishOptions } from './publisher.js';
export { SimpulReader } from './reader.js';
export { StartFault, type StartFaultCode } from './start-fault.js';
