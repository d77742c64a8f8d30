import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { Conductor } from './conductor.js';
import type { Day, Flow } from './day.js';
import { ImmigrationDesk, PrisonDesk, ServiceDesk } from './desks.js';
import { Bans } from './flows/bans.js';
import { Attendance, Cases, Crossings } from './flows/bulk.js';
import { Complaints } from './flows/complaints.js';
import { DarkPrison } from './flows/dark.js';
import { Foreigners } from './flows/foreigners.js';
import { Garbage } from './flows/garbage.js';
import { Passports } from './flows/passports.js';
import { Occupancy, RemandEnds } from './flows/prisons.js';
import { Remission } from './flows/remission.js';
import { Transfers } from './flows/transfers.js';
import type { MinistryOptions } from './options.js';
import { Screen, type Out } from './screen/screen.js';
import type { World } from './world.js';

const PLAIN: readonly (new (day: Day) => Flow)[] = [
  Bans,
  Passports,
  Transfers,
  Foreigners,
  Remission,
  RemandEnds,
  Occupancy,
  Complaints,
  Attendance,
  Crossings,
  Cases,
];

/** Unit systems of the day: flows publish, desks (controllers) react to what offices read. */
@Module({})
export class MinistryModule {
  static forDay(world: World, options: MinistryOptions, out: Out): DynamicModule {
    const { day, dark, history } = world;
    const flows: { provide: Type<Flow>; useValue: Flow }[] = [
      ...PLAIN.map((Kind) => ({ provide: Kind as Type<Flow>, useValue: new Kind(day) })),
      { provide: DarkPrison, useValue: new DarkPrison(day, dark.office, dark.line) },
      { provide: Garbage, useValue: new Garbage(day, history) },
    ];
    const conductor = new Conductor(
      world,
      flows.map((f) => f.useValue),
      options,
    );
    return {
      module: MinistryModule,
      controllers: [ImmigrationDesk, PrisonDesk, ServiceDesk],
      providers: [
        ...flows,
        { provide: Conductor, useValue: conductor },
        {
          provide: Screen,
          useValue: new Screen(out, options.lang, options.plain || options.json, () => conductor.frame()),
        },
      ],
    };
  }
}
