import { Module } from '@nestjs/common';
import { WatchHomeModule } from './watch-home.module.js';
import { WATCH_OPTIONS, WatchRunner } from './watch-runner.js';

/** The role watch: finds units that are silent, lose numbers, have a wrong clock or send again and again. It runs beside the projector, in one process at a time. */
@Module({ imports: [WatchHomeModule], providers: [{ provide: WATCH_OPTIONS, useValue: {} }, WatchRunner] })
export class WatchModule {}
