export type { Deliver, EventSource } from './event-source.js';
export { SimpulContext, SimpulServer, type SimpulServerOptions, type SimpulServerReport } from './simpul-server.js';
export { Batch, OnEvent } from './on-event.js';
export { SIMPUL_CLIENT, SimpulModule, type SimpulClient, type SimpulModuleOptions } from './simpul-module.js';
export { StreamSource, type Places, type StreamSourceOptions, type StreamSourceReport } from './stream-source.js';
