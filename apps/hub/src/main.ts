import 'reflect-metadata';
import { runHub } from '#core';
import { HubModule } from './hub.module.js';

await runHub(HubModule);
