import 'reflect-metadata';
import { runHub } from '#core';
import { GATEWAY } from '#gateway';
import { GatewayModule } from './gateway.module.js';

await runHub({ name: 'gateway', roles: [GATEWAY], module: (imports) => GatewayModule.of(imports) });
