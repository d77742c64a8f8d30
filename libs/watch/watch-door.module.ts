import { CORE, type Core } from '#core';
import { WATCH_DOOR, WatchController, type WatchDoorDeps } from '#http';
import { Module } from '@nestjs/common';
import { WatchHomeModule } from './watch-home.module.js';
import { WatchHome } from './watch-home.js';

/** The door `/v1/watch`, for every process that answers requests. */
@Module({
  imports: [WatchHomeModule],
  controllers: [WatchController],
  providers: [
    {
      provide: WATCH_DOOR,
      inject: [CORE, WatchHome],
      useFactory: ({ units, registry, limits }: Core, home: WatchHome): WatchDoorDeps => ({
        limits,
        units: units.units,
        catalogue: registry.catalogue,
        findings: () => home.findings(),
      }),
    },
  ],
})
export class WatchDoorModule {}
