export { SubscriptionDoorsModule } from './subscription-doors.module.js';
export { SubscriptionHome } from './subscription-home.js';
