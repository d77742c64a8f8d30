import 'reflect-metadata';
import { runHub } from '#core';
import { GATEWAY } from '#gateway';
import { PROJECTOR } from '#projector';
import { HubModule } from './hub.module.js';

await runHub({ name: 'hub', roles: [PROJECTOR, GATEWAY], module: (imports) => HubModule.of(imports) });
