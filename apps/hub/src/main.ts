import 'reflect-metadata';
import { runHub } from '#hub';
import { HubModule } from './hub.module.js';

await runHub({ name: 'hub', roles: ['gateway', 'projector'], module: (parts) => HubModule.of(parts) });
