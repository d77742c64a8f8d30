export { CourierModule } from './courier.module.js';
