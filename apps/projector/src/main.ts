import 'reflect-metadata';
import { runHub } from '#core';
import { ProjectorAppModule } from './projector.module.js';

await runHub(ProjectorAppModule);
