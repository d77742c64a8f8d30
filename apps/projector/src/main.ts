import 'reflect-metadata';
import { runHub } from '#hub';
import { ProjectorModule } from './projector.module.js';

await runHub({ name: 'projector', roles: ['projector'], module: (parts) => ProjectorModule.of(parts) });
