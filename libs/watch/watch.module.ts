import { Module } from '@nestjs/common';
import { WatchDoorModule } from './watch-door.module.js';
import { WATCH_OPTIONS, WatchRunner } from './watch-runner.js';

/** The role watch: finds units that are silent, lose numbers, have a wrong clock or send again and again. It runs beside the projector, in one process at a time. */
@Module({ imports: [WatchDoorModule], providers: [{ provide: WATCH_OPTIONS, useValue: {} }, WatchRunner] })
export class WatchModule {}
