import 'reflect-metadata';
import { runHub } from '#core';
import { GatewayAppModule } from './gateway.module.js';

await runHub(GatewayAppModule);
