export type { Caller, ReadLevel, Role } from './access.js';
export { maskData } from './mask.js';
export { mayPublish, sourceOf, type NotYours, type PublishableType } from './publish-right.js';
export { idsIn, readLevel, speaksFor, type ReadableEvent, type ReadableType } from './read-level.js';
export { sampleEvent, type SampleEvent } from './sample-event.js';
