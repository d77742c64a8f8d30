export { WatchModule } from './watch.module.js';
export { WatchDoorModule } from './watch-door.module.js';
