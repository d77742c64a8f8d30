import 'reflect-metadata';
import { runHub } from '#core';
import { PROJECTOR } from '#projector';
import { ProjectorModule } from './projector.module.js';

await runHub({ name: 'projector', roles: [PROJECTOR], module: (imports) => ProjectorModule.of(imports) });
