import { Module, type DynamicModule } from '@nestjs/common';
import { Conductor } from './conductor.js';
import type { MinistryOptions } from './options.js';
import { Screen, type Out } from './screen/screen.js';
import { buildWorld, type World } from './world.js';

export const WORLD = Symbol('world of the day');

@Module({})
export class MinistryModule {
  static forDay(options: MinistryOptions, out: Out): DynamicModule {
    return {
      module: MinistryModule,
      providers: [
        { provide: WORLD, useFactory: (): Promise<World> => buildWorld(options) },
        { provide: Conductor, inject: [WORLD], useFactory: (world: World) => new Conductor(world, options) },
        {
          provide: Screen,
          inject: [Conductor],
          useFactory: (c: Conductor) => new Screen(out, options.lang, options.plain || options.json, () => c.frame()),
        },
      ],
    };
  }
}
