import { Module } from '@nestjs/common';
import { WatchHome } from './watch-home.js';

/** The table of the watch, once in a process. */
@Module({ providers: [WatchHome], exports: [WatchHome] })
export class WatchHomeModule {}
