import { reasonOf } from '#consuming';
import { SimpulModule } from '#nest-kit';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { Conductor } from './conductor.js';
import type { Day, Flow } from './day.js';
import { DayOfEvent, ImmigrationController, OfficeOf, PrisonController, ServiceController } from './controllers.js';
import { Directorates } from './directorates.js';
import { Bans } from './flows/bans.js';
import { Attendance, Cases, Crossings } from './flows/bulk.js';
import { Complaints } from './flows/complaints.js';
import { OfflinePrison } from './flows/offline-prison.js';
import { Foreigners } from './flows/foreigners.js';
import { Garbage } from './flows/garbage.js';
import { Passports } from './flows/passports.js';
import { Occupancy, RemandEnds } from './flows/prisons.js';
import { Remission } from './flows/remission.js';
import { Transfers } from './flows/transfers.js';
import { Offices } from './offices.js';
import type { MinistryOptions } from './options.js';
import { Screen, type Out } from './screen/screen.js';
import { Pulls } from './pulls/pulls.js';
import { Webhooks } from './webhooks/webhooks.js';
import type { World } from './world.js';

const FLOWS: readonly (new (day: Day) => Flow)[] = [
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

/** The unit systems of one day: flows publish events, controllers handle the events that offices receive. */
@Module({})
export class MinistryModule {
  static forDay(world: World, options: MinistryOptions, out: Out): DynamicModule {
    const { day, offline, history, directorates, webhooks, pulls, faults } = world;
    const flows: { provide: Type<Flow>; useValue: Flow }[] = [
      ...FLOWS.map((Kind) => ({ provide: Kind as Type<Flow>, useValue: new Kind(day) })),
      { provide: OfflinePrison, useValue: new OfflinePrison(day, offline.office, offline.link) },
      { provide: Garbage, useValue: new Garbage(day, history) },
    ];
    const conductor = new Conductor(
      world,
      flows.map((f) => f.useValue),
      options,
    );
    return {
      module: MinistryModule,
      imports: [
        SimpulModule.forRoot({
          url: options.url,
          // Each office reads and publishes with its own key; with this one the app asks only whether the types of its handlers exist.
          key: day.offices.all[0]!.key,
          source: day.subscriptions.source,
          report: day.subscriptions.report,
          ended: (fault) => {
            faults.push(reasonOf(fault));
            conductor.stop();
          },
        }),
      ],
      controllers: [ImmigrationController, PrisonController, ServiceController],
      providers: [
        ...flows,
        { provide: Offices, useValue: day.offices },
        { provide: Directorates, useValue: directorates },
        { provide: Webhooks, useValue: webhooks },
        { provide: Pulls, useValue: pulls },
        OfficeOf,
        DayOfEvent,
        { provide: Conductor, useValue: conductor },
        {
          provide: Screen,
          useValue: new Screen(out, options.lang, options.plain || options.json, () => conductor.frame()),
        },
      ],
    };
  }
}
