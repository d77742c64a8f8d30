import 'reflect-metadata';
import { runHub } from '#hub';
import { GatewayModule } from './gateway.module.js';

await runHub({ name: 'gateway', roles: ['gateway'], module: (parts) => GatewayModule.of(parts) });
