export { CourierModule } from './courier.module.js';
export { SubscriptionDoorsModule } from './subscription-doors.module.js';
