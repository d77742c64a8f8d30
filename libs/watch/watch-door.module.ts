import { Module } from '@nestjs/common';
import { WatchHome } from './watch-home.js';

/** What the watch has found, for every process that answers requests. */
@Module({ providers: [WatchHome], exports: [WatchHome] })
export class WatchDoorModule {}
