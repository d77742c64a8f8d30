export { BoundedClock, type BoundedClockOptions } from './bounded-clock.js';
export { Coalescer, type CoalescerOptions } from './coalescer.js';
export { withDeadline } from './deadline.js';
export { deferred } from './deferred.js';
export { Mutex } from './mutex.js';
export { jittered, pause } from './pause.js';
