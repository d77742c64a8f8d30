import 'reflect-metadata';
import { runHub } from '#core';
import { CourierAppModule } from './courier.module.js';

await runHub(CourierAppModule);
